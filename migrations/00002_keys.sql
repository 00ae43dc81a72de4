-- +goose Up

-- API keys, by their SHA-256. A key is 32 random bytes: nobody can try them all,
-- so that a slow hash, which passwords need, would protect nothing and be paid
-- for at every request. Domains are separated by blanks; '' is any.
CREATE TABLE api_keys (
    id           UUID   NOT NULL PRIMARY KEY,
    tenant_id    BIGINT NOT NULL,
    name         TEXT   NOT NULL,
    hash         BYTEA  NOT NULL UNIQUE,
    prefix       TEXT   NOT NULL,
    scope        TEXT   NOT NULL,
    domains      TEXT   NOT NULL DEFAULT '',
    rate         BIGINT,
    daily_quota  BIGINT,
    expires_at   BIGINT,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id);

-- Requests of keys that have a rate. Gap is the time between two of them and
-- tat the time at which the last one counted as done (GCRA), both in
-- microseconds; asked and granted are of the last statement.
CREATE TABLE key_rates (
    key_id    UUID   NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    gap       BIGINT NOT NULL,
    tat       BIGINT NOT NULL,
    asked     BIGINT NOT NULL,
    granted   BIGINT NOT NULL
);

-- Recipients that keys with a daily quota have used on a day, which is counted
-- from 1970 in UTC. Asked and granted are of the last statement.
CREATE TABLE key_quotas (
    key_id    UUID   NOT NULL PRIMARY KEY,
    tenant_id BIGINT NOT NULL,
    quota     BIGINT NOT NULL,
    day       BIGINT NOT NULL,
    used      BIGINT NOT NULL,
    asked     BIGINT NOT NULL,
    granted   BIGINT NOT NULL
);

-- +goose Down
DROP TABLE key_quotas;
DROP TABLE key_rates;
DROP TABLE api_keys;
