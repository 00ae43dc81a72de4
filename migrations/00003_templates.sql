-- +goose Up

-- revision counts changes, so that two who change a template at once do not
-- undo each other. current is the number of the newest version, published that
-- of the one that is sent; 0: none.
CREATE TABLE templates (
    id           UUID   NOT NULL PRIMARY KEY,
    tenant_id    BIGINT NOT NULL,
    kind         TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    revision     INT    NOT NULL,
    current      INT    NOT NULL,
    published    INT    NOT NULL,
    published_at BIGINT,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    CHECK (published <= current)
);

CREATE INDEX templates_by_tenant ON templates (tenant_id, id);

CREATE TABLE template_aliases (
    tenant_id   BIGINT NOT NULL,
    alias       TEXT   NOT NULL,
    template_id UUID   NOT NULL,
    PRIMARY KEY (tenant_id, alias)
);

CREATE INDEX template_aliases_of ON template_aliases (template_id);

-- A version with a time of publication never changes any more.
CREATE TABLE template_versions (
    template_id  UUID   NOT NULL,
    version      INT    NOT NULL,
    tenant_id    BIGINT NOT NULL,
    id           UUID   NOT NULL,
    body         TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    published_at BIGINT,
    PRIMARY KEY (template_id, version)
);

-- +goose Down
DROP TABLE template_versions;
DROP TABLE template_aliases;
DROP TABLE templates;
