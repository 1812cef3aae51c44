-- What every context builds on: who the tenant is, how a table is fenced, and the tables of the event backbone.
-- Runs as atrium_owner.

CREATE SCHEMA platform;
GRANT USAGE ON SCHEMA platform TO PUBLIC;

-- The tenant of this transaction; NULL, and so no row at all, where none is set. A SET LOCAL that has ended leaves ''.
CREATE FUNCTION platform.tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('atrium.tenant_id', true), '')::uuid;

-- Ends the transaction unless exactly one row was touched: a stale version never commits.
CREATE FUNCTION platform.require_one(touched bigint) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF touched <> 1 THEN
        RAISE EXCEPTION 'the version is stale' USING ERRCODE = 'AT001';
    END IF;
END
$$;

-- Forces row security on a tenant table and gives it to its context's role.
CREATE FUNCTION platform.protect(tenant_table regclass, rights text DEFAULT 'SELECT, INSERT, UPDATE, DELETE')
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    schema_name text := (SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = tenant_table);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
        'CREATE POLICY tenant_isolation ON %s USING (tenant_id = (SELECT platform.tenant_id())) '
        'WITH CHECK (tenant_id = (SELECT platform.tenant_id()))', tenant_table);
    EXECUTE format('GRANT %s ON %s TO %I', rights, tenant_table, schema_name || '_app');
END
$$;

-- Opens a row-secured table to a role that works across tenants.
CREATE FUNCTION platform.open_across_tenants(tenant_table regclass, to_role text, rights text)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY %I ON %s TO %I USING (true) WITH CHECK (true)', to_role, tenant_table, to_role);
    EXECUTE format('GRANT %s ON %s TO %I', rights, tenant_table, to_role);
END
$$;

-- The schema of a context, with its outbox, inbox, dead letters and receipts.
CREATE FUNCTION platform.create_context(context text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    app text := context || '_app';
    worker text := context || '_worker';
BEGIN
    EXECUTE format('CREATE SCHEMA %I', context);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', context, app, worker);

    -- Append-only. Read in the order of (transaction_id, position), never past a transaction that may still commit.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox (
            tenant_id uuid NOT NULL,
            position bigint GENERATED ALWAYS AS IDENTITY,
            transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
            event_id uuid NOT NULL,
            topic text NOT NULL,
            type text NOT NULL,
            aggregate_id uuid NOT NULL,
            aggregate_version bigint NOT NULL,
            occurred_at timestamptz NOT NULL,
            correlation_id uuid NOT NULL,
            causation_id uuid,
            traceparent text NOT NULL,
            payload text NOT NULL
        )$sql$, context);
    EXECUTE format('CREATE INDEX outbox_commit_order ON %I.outbox (transaction_id, position)', context);
    PERFORM platform.protect(format('%I.outbox', context)::regclass, 'INSERT');
    PERFORM platform.open_across_tenants(format('%I.outbox', context)::regclass, worker, 'SELECT, DELETE');

    -- How far the relay has come, and which process holds it until when.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox_cursor (
            singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
            transaction_id xid8 NOT NULL DEFAULT '0',
            position bigint NOT NULL DEFAULT 0,
            owner uuid,
            lease_until timestamptz NOT NULL DEFAULT '-infinity'
        )$sql$, context);
    EXECUTE format('INSERT INTO %I.outbox_cursor DEFAULT VALUES', context);
    EXECUTE format('GRANT SELECT, UPDATE ON %I.outbox_cursor TO %I', context, worker);

    -- One row for each event that a reaction has taken effect for.
    EXECUTE format($sql$
        CREATE TABLE %1$I.inbox (
            tenant_id uuid NOT NULL,
            event_id uuid NOT NULL,
            reaction text NOT NULL,
            processed_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT inbox_pkey PRIMARY KEY (tenant_id, event_id, reaction)
        )$sql$, context);
    PERFORM platform.protect(format('%I.inbox', context)::regclass, 'SELECT, INSERT');
    PERFORM platform.open_across_tenants(format('%I.inbox', context)::regclass, worker, 'SELECT, DELETE');

    -- Messages that could not be taken in or sent; the tenant is unknown where the message did not say.
    EXECUTE format($sql$
        CREATE TABLE %1$I.dead_letters (
            id uuid PRIMARY KEY,
            tenant_id uuid,
            direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
            reaction text,
            topic text NOT NULL,
            partition int,
            "offset" bigint,
            key bytea,
            value bytea,
            header_names text[] NOT NULL,
            header_values bytea[] NOT NULL,
            event_id text,
            event_type text,
            reason text NOT NULL,
            attempts int NOT NULL,
            failed_at timestamptz NOT NULL DEFAULT now(),
            replayed_at timestamptz,
            -- Of the message's key, value and headers: offsets begin anew when a topic is made anew.
            digest bytea NOT NULL,
            -- One dead letter for one failure, however often the message is read again.
            CONSTRAINT dead_letters_once UNIQUE NULLS NOT DISTINCT (digest, topic, partition, "offset", reaction)
        )$sql$, context);
    EXECUTE format('ALTER TABLE %I.dead_letters ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.dead_letters FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(
        format('%I.dead_letters', context)::regclass, worker, 'SELECT, INSERT, UPDATE');

    -- Answers to commands that carried an Idempotency-Key.
    EXECUTE format($sql$
        CREATE TABLE %1$I.receipts (
            tenant_id uuid NOT NULL,
            key text NOT NULL,
            fingerprint bytea NOT NULL,
            status int NOT NULL,
            header_names text[] NOT NULL,
            header_values text[] NOT NULL,
            body bytea NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT receipts_pkey PRIMARY KEY (tenant_id, key)
        )$sql$, context);
    EXECUTE format('CREATE INDEX receipts_age ON %I.receipts USING brin (created_at)', context);
    PERFORM platform.protect(format('%I.receipts', context)::regclass, 'SELECT, INSERT');
    PERFORM platform.open_across_tenants(format('%I.receipts', context)::regclass, worker, 'SELECT, DELETE');
END
$$;

-- For migrations alone.
REVOKE EXECUTE ON FUNCTION platform.protect, platform.open_across_tenants, platform.create_context FROM PUBLIC;
