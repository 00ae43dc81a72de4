-- +goose Up

-- place says where the bytes of a blob are: 'row' is the column blobs.data, 'parts'
-- is the table below, anything else is a place outside of the database.

-- The bytes of larger blobs, in parts that are written and read one at a time: no
-- process, and no engine, ever holds the whole.
CREATE TABLE blob_parts (
    blob_id   UUID   NOT NULL,
    n         INT    NOT NULL,
    tenant_id BIGINT NOT NULL,
    data      BYTEA  NOT NULL,
    PRIMARY KEY (blob_id, n)
);

-- Blobs that no message refers to: one that is being accepted, written down before
-- its first byte, or one whose message is gone. Accepting takes the row away in the
-- transaction that refers to the blob; what is left here is deleted, bytes first.
-- A doomed one may be gone already, so nothing may refer to it any more.
CREATE TABLE loose_blobs (
    id        UUID     NOT NULL PRIMARY KEY,
    tenant_id BIGINT   NOT NULL,
    place     TEXT     NOT NULL,
    size      BIGINT   NOT NULL,
    doomed    SMALLINT NOT NULL DEFAULT 0,
    since     BIGINT   NOT NULL
);

CREATE INDEX loose_blobs_since ON loose_blobs (since);

-- +goose Down
DROP TABLE loose_blobs;
DROP TABLE blob_parts;
