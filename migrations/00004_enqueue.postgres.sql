-- +goose Up

-- What callers enqueued within transactions of their own, until a producer takes it
-- in. The id is the message's, and key the idempotency key.
CREATE TABLE intake (
    id          UUID   NOT NULL PRIMARY KEY,
    tenant_id   BIGINT NOT NULL,
    key         TEXT,
    email       TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    enqueued_at BIGINT NOT NULL
);

-- The idempotency keys of the function are kept apart from those of the API: a
-- caller's transaction that stays open with a key in it must not hold up what the
-- API commits.
CREATE TABLE intake_keys (
    tenant_id  BIGINT NOT NULL,
    key        TEXT   NOT NULL,
    hash       BYTEA  NOT NULL,
    message_id UUID   NOT NULL,
    expires_at BIGINT NOT NULL,
    CONSTRAINT intake_keys_pkey PRIMARY KEY (tenant_id, key)
);

CREATE INDEX intake_keys_expiring ON intake_keys (expires_at);

-- The functions stand in the schema postrider where the tables are in public, else
-- beside the tables: two installations in one database do not meet. They name every
-- table with its schema, and look nothing up where others may create.

-- +goose StatementBegin
DO $do$
DECLARE
    tables CONSTANT text := current_schema();
    home   text := tables;
    source text;
BEGIN
    IF tables = 'public' AND to_regnamespace('postrider') IS NULL THEN
        IF has_database_privilege(current_database(), 'CREATE') THEN
            CREATE SCHEMA postrider;
            home := 'postrider';
        ELSE
            RAISE NOTICE 'this user may not create the schema postrider: enqueue_email is made in the schema public'
                USING HINT = 'See "Who may enqueue" in docs/transactional-enqueue.md.';
        END IF;
    ELSIF tables = 'public' AND has_schema_privilege('postrider', 'CREATE')
        AND to_regproc('postrider.enqueue_email') IS NULL AND to_regproc('postrider.enqueue_email_for') IS NULL
    THEN
        home := 'postrider';
    END IF;

    FOREACH source IN ARRAY ARRAY[$create$
CREATE FUNCTION {home}.enqueue_email_for(tenant text, email jsonb, idempotency_key text DEFAULT NULL)
RETURNS uuid LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off AS $body$ -- a caller's session keeps the plans that it made while the tables were empty
DECLARE
    micros  CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000);
    millis  CONSTANT bigint := micros / 1000;
    -- UUIDv7 (RFC 9562): milliseconds, their fraction in 12 bits, and the random end of a version 4.
    new_id  CONSTANT uuid := (lpad(to_hex(millis), 12, '0') || to_hex(28672 + (micros % 1000) * 4096 / 1000)
        || right(gen_random_uuid()::text, 17))::uuid;
    body    CONSTANT text := email::text;
    owner   bigint;
    fault   text;
    digest  bytea;
    found_hash bytea;
    found_id   uuid;
BEGIN
    fault := CASE
        WHEN email IS NULL OR jsonb_typeof(email) <> 'object' THEN
            'the email must be a JSON object'
        WHEN jsonb_typeof(email->'from') IS DISTINCT FROM 'string' AND NOT email ? 'template' THEN
            '/from must be an address'
        WHEN btrim(email->>'from') = '' THEN
            '/from must be an address'
        WHEN CASE jsonb_typeof(email->'to')
            WHEN 'string' THEN btrim(email->>'to') = ''
            WHEN 'array' THEN jsonb_array_length(email->'to') = 0
                OR EXISTS (SELECT FROM jsonb_array_elements(email->'to') AS one WHERE jsonb_typeof(one) <> 'string')
            ELSE true END THEN
            '/to must be an address or a list of addresses'
        WHEN jsonb_typeof(email->'subject') NOT IN ('string', 'null') THEN
            '/subject must be a string'
        WHEN jsonb_typeof(email->'text') NOT IN ('string', 'null') THEN
            '/text must be a string'
        WHEN jsonb_typeof(email->'html') NOT IN ('string', 'null') THEN
            '/html must be a string'
        WHEN coalesce(email->>'text', '') = '' AND coalesce(email->>'html', '') = '' AND NOT email ? 'template' THEN
            '/text must have something in it, or /html'
    END;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'postrider: %', fault USING ERRCODE = 'invalid_parameter_value',
            HINT = 'The email is the body of POST /v1/emails.';
    END IF;
    IF octet_length(body) > 37748736 THEN
        RAISE EXCEPTION 'postrider: the email is % bytes of JSON, more than 37748736', octet_length(body)
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    SELECT t.id INTO owner FROM {tables}.tenants AS t WHERE t.name = tenant;
    IF owner IS NULL THEN
        RAISE EXCEPTION 'postrider: there is no tenant of this name' USING ERRCODE = 'undefined_object';
    END IF;

    IF idempotency_key IS NOT NULL THEN
        IF length(idempotency_key) NOT BETWEEN 1 AND 256 OR idempotency_key !~ '^[ -~]+$' THEN
            RAISE EXCEPTION 'postrider: the idempotency key must be 1 to 256 printable ASCII characters'
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        -- Another transaction that is just taking the key is waited for.
        digest := sha256(convert_to(body, 'UTF8'));
        INSERT INTO {tables}.intake_keys AS k (tenant_id, key, hash, message_id, expires_at)
        VALUES (owner, idempotency_key, digest, new_id, millis + 86400000)
        ON CONFLICT ON CONSTRAINT intake_keys_pkey DO UPDATE
            SET hash = excluded.hash, message_id = excluded.message_id, expires_at = excluded.expires_at
            WHERE k.expires_at <= millis;
        IF NOT FOUND THEN
            SELECT k.hash, k.message_id INTO found_hash, found_id FROM {tables}.intake_keys AS k
            WHERE k.tenant_id = owner AND k.key = idempotency_key;
            IF found_hash = digest THEN
                RETURN found_id;
            END IF;
        ELSE
            SELECT i.message_id INTO found_id FROM {tables}.idempotency AS i
            WHERE i.tenant_id = owner AND i.key = idempotency_key AND i.expires_at > millis;
        END IF;
        IF found_id IS NOT NULL THEN
            RAISE EXCEPTION 'postrider: this idempotency key was used for another email'
                USING ERRCODE = 'unique_violation', DETAIL = 'It stands for the message ' || found_id || '.',
                HINT = 'Use a new key for each new email.';
        END IF;
    END IF;

    INSERT INTO {tables}.intake (id, tenant_id, key, email, size, enqueued_at)
    VALUES (new_id, owner, idempotency_key, body, octet_length(body), millis);
    PERFORM pg_notify('postrider_intake', ''); -- heard at the commit, once for each transaction
    RETURN new_id;
END $body$
$create$, $create$
CREATE FUNCTION {home}.enqueue_email(email jsonb, idempotency_key text DEFAULT NULL)
RETURNS uuid LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$
    SELECT {home}.enqueue_email_for('default', email, idempotency_key)
$body$
$create$, 'REVOKE ALL ON FUNCTION {home}.enqueue_email_for(text, jsonb, text), {home}.enqueue_email(jsonb, text) FROM PUBLIC'] LOOP
        EXECUTE replace(replace(source, '{home}', quote_ident(home)), '{tables}', quote_ident(tables));
    END LOOP;

    IF to_regrole('postrider_enqueue') IS NULL THEN
        BEGIN
            CREATE ROLE postrider_enqueue NOLOGIN;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'this user may not create the role postrider_enqueue: grant the right to execute enqueue_email to logins instead'
                    USING HINT = 'See "Who may enqueue" in docs/transactional-enqueue.md.';
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- another migration in this cluster has just made it
        END;
    END IF;
    IF to_regrole('postrider_enqueue') IS NOT NULL THEN
        EXECUTE replace('GRANT USAGE ON SCHEMA {home} TO postrider_enqueue', '{home}', quote_ident(home));
        EXECUTE replace('GRANT EXECUTE ON FUNCTION {home}.enqueue_email(jsonb, text) TO postrider_enqueue', '{home}', quote_ident(home));
    END IF;
END $do$;
-- +goose StatementEnd

-- +goose Down

-- The role may serve other databases of the cluster, and stays.

-- +goose StatementBegin
DO $do$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT p.oid::regprocedure FROM pg_proc AS p JOIN pg_namespace AS s ON s.oid = p.pronamespace
        WHERE s.nspname IN ('postrider', current_schema()) AND p.proname = 'enqueue_email_for'
            AND strpos(p.prosrc, ' ' || quote_ident(current_schema()) || '.intake ') > 0
    LOOP
        EXECUTE 'DROP FUNCTION ' || replace(made::text, 'enqueue_email_for(text,jsonb,text)', 'enqueue_email(jsonb,text)');
        EXECUTE 'DROP FUNCTION ' || made;
    END LOOP;
    IF to_regnamespace('postrider') IS NOT NULL AND current_schema() <> 'postrider' THEN
        BEGIN
            DROP SCHEMA postrider;
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            NULL;
        END;
    END IF;
END $do$;
-- +goose StatementEnd

DROP TABLE intake_keys;
DROP TABLE intake;
