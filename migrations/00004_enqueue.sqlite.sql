-- +goose Up

-- Nothing: an SQLite file belongs to one process, so no caller's transaction can
-- reach it. The step is here for its number.

-- +goose Down
