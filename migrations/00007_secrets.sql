-- +goose Up

-- Random bytes that every process on this database shares, each made at its
-- first use, such as what links to attachments are signed with. Deleting a row
-- and restarting the producers makes a new one.
CREATE TABLE secrets (
    name       TEXT   NOT NULL PRIMARY KEY,
    value      BYTEA  NOT NULL,
    created_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE secrets;
