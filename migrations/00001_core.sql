-- +goose Up

-- One text for Postgres and SQLite. Times are BIGINT milliseconds of the
-- database's clock. Every unique constraint of messages, deliveries and
-- attempts starts with the message id, and nothing references them, so that
-- they can be partitioned by time later without touching what refers to them.

CREATE TABLE tenants (
    id         BIGINT NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

INSERT INTO tenants (id, name, created_at) VALUES (1, 'default', 0);

CREATE TABLE messages (
    id           UUID   NOT NULL PRIMARY KEY,
    tenant_id    BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    lane         TEXT   NOT NULL,
    head         TEXT   NOT NULL,
    content      TEXT   NOT NULL,
    on_unknown   TEXT   NOT NULL,
    scheduled_at BIGINT,
    expires_at   BIGINT,
    trace        TEXT   NOT NULL,
    created_at   BIGINT NOT NULL
);

CREATE INDEX messages_by_tenant ON messages (tenant_id, id);

-- on_unknown and expires_at are copies of the message's, which never change:
-- every guard of the protocol stands on this row alone.
CREATE TABLE deliveries (
    message_id       UUID     NOT NULL,
    n                SMALLINT NOT NULL,
    tenant_id        BIGINT   NOT NULL,
    channel          TEXT     NOT NULL,
    role             TEXT     NOT NULL,
    address          TEXT     NOT NULL,
    lane             TEXT     NOT NULL,
    on_unknown       TEXT     NOT NULL,
    expires_at       BIGINT,
    status           TEXT     NOT NULL,
    reason           TEXT     NOT NULL DEFAULT '',
    dispatch         INT      NOT NULL,
    claim            INT      NOT NULL DEFAULT 0,
    phase            SMALLINT NOT NULL DEFAULT 0,
    lease_until      BIGINT,
    worker_id        UUID,
    published_at     BIGINT,
    next_attempt_at  BIGINT,
    attempts         INT      NOT NULL DEFAULT 0,
    interrupted      INT      NOT NULL DEFAULT 0,
    unknown_outcomes INT      NOT NULL DEFAULT 0,
    remote_id        TEXT     NOT NULL DEFAULT '',
    finished_at      BIGINT,
    PRIMARY KEY (message_id, n),
    CHECK ((status = 'sending') = (phase <> 0)),
    CHECK ((status = 'sending') = (lease_until IS NOT NULL)),
    CHECK ((status IN ('queued', 'sending')) = (finished_at IS NULL)),
    CHECK ((status = 'failed') = (reason <> ''))
);

CREATE INDEX deliveries_published ON deliveries (lane, published_at)
    WHERE status = 'queued' AND published_at IS NOT NULL;
CREATE INDEX deliveries_leases ON deliveries (lease_until)
    WHERE status = 'sending';
CREATE INDEX deliveries_ends ON deliveries (tenant_id, status, message_id)
    WHERE status IN ('failed', 'unknown', 'canceled', 'suppressed');
CREATE INDEX deliveries_expiring ON deliveries (expires_at)
    WHERE status = 'queued' AND expires_at IS NOT NULL;

CREATE TABLE attempts (
    message_id  UUID     NOT NULL,
    n           SMALLINT NOT NULL,
    claim       INT      NOT NULL,
    started_at  BIGINT   NOT NULL,
    finished_at BIGINT   NOT NULL,
    worker_id   UUID,
    relay_host  TEXT     NOT NULL,
    outcome     TEXT     NOT NULL,
    code        INT      NOT NULL,
    enhanced    TEXT     NOT NULL,
    detail      TEXT     NOT NULL,
    PRIMARY KEY (message_id, n, claim)
);

-- What must be published and is not with the broker: new, for later, or
-- waiting to be tried again.
CREATE TABLE outbox (
    message_id UUID     NOT NULL,
    n          SMALLINT NOT NULL,
    dispatch   INT      NOT NULL,
    tenant_id  BIGINT   NOT NULL,
    channel    TEXT     NOT NULL,
    lane       TEXT     NOT NULL,
    due_at     BIGINT   NOT NULL,
    PRIMARY KEY (message_id, n, dispatch)
);

CREATE INDEX outbox_due ON outbox (channel, lane, due_at, message_id);

CREATE TABLE idempotency (
    tenant_id  BIGINT NOT NULL,
    key        TEXT   NOT NULL,
    hash       BYTEA  NOT NULL,
    message_id UUID   NOT NULL,
    response   TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, key)
);

CREATE INDEX idempotency_expiring ON idempotency (expires_at);

CREATE TABLE attachments (
    message_id   UUID     NOT NULL,
    n            SMALLINT NOT NULL,
    blob_id      UUID     NOT NULL,
    filename     TEXT     NOT NULL,
    content_type TEXT     NOT NULL,
    content_id   TEXT     NOT NULL,
    disposition  TEXT     NOT NULL,
    size         BIGINT   NOT NULL,
    PRIMARY KEY (message_id, n)
);

-- place says where the bytes are: 'row' is the column data.
CREATE TABLE blobs (
    id         UUID   NOT NULL PRIMARY KEY,
    tenant_id  BIGINT NOT NULL,
    size       BIGINT NOT NULL,
    sha256     BYTEA  NOT NULL,
    place      TEXT   NOT NULL,
    data       BYTEA,
    created_at BIGINT NOT NULL
);

CREATE TABLE workers (
    id         UUID   NOT NULL PRIMARY KEY,
    program    TEXT   NOT NULL,
    host       TEXT   NOT NULL,
    pid        BIGINT NOT NULL,
    version    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    state      TEXT   NOT NULL,
    desired    TEXT   NOT NULL DEFAULT ''
);

CREATE TABLE dead_letters (
    id      UUID   NOT NULL PRIMARY KEY,
    queue   TEXT   NOT NULL,
    reason  TEXT   NOT NULL,
    body    BYTEA  NOT NULL,
    headers TEXT   NOT NULL DEFAULT '',
    at      BIGINT NOT NULL
);

-- claimed_mark is the newest published_at of which a copy was claimed.
CREATE TABLE lanes (
    lane         TEXT   NOT NULL PRIMARY KEY,
    claimed_mark BIGINT NOT NULL
);

-- +goose Down
DROP TABLE lanes;
DROP TABLE dead_letters;
DROP TABLE workers;
DROP TABLE blobs;
DROP TABLE attachments;
DROP TABLE idempotency;
DROP TABLE outbox;
DROP TABLE attempts;
DROP TABLE deliveries;
DROP TABLE messages;
DROP TABLE tenants;
