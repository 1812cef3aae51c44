-- What every context builds on: who the tenant is, how a table is fenced, and the tables of the event backbone.
-- Runs as atrium_owner.

CREATE SCHEMA platform;
GRANT USAGE ON SCHEMA platform TO PUBLIC;

-- The keys that contexts are signed with, as HMAC uses them (RFC 2104). Nobody who serves requests may read them.
CREATE TABLE platform.context_keys (
    key_id text PRIMARY KEY,
    inner_key bytea NOT NULL CHECK (octet_length(inner_key) = 64),
    outer_key bytea NOT NULL CHECK (octet_length(outer_key) = 64)
);

-- Opens a transaction to one tenant in one role, for whoever can show a signature of the program over just that:
--   context      '<tenant, 32 hex digits>,<role>'
--   valid_until  0 where the signature is bound to this server process, otherwise seconds since 1970
--   mac          HMAC-SHA256 of '<context>,<process id>' or '<context>,until <valid_until>'
--
-- What is verified is kept for the rest of the transaction in a parameter that the application's roles have no right to
-- set. PostgreSQL lets an extension alone define such a parameter, so it is borrowed: of those built in,
-- backtrace_functions is one that takes this text and does nothing with it, since no function of the server has that name.
CREATE FUNCTION platform.enter(context text, valid_until bigint, mac bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    message bytea := convert_to(
        context || ',' || CASE WHEN valid_until = 0 THEN pg_backend_pid()::text ELSE 'until ' || valid_until END,
        'UTF8');
BEGIN
    IF NOT EXISTS (
        SELECT FROM platform.context_keys k WHERE sha256(k.outer_key || sha256(k.inner_key || message)) = mac)
    THEN
        RAISE EXCEPTION 'the tenant context is not signed by this installation' USING ERRCODE = 'AT003';
    END IF;
    IF valid_until <> 0 AND valid_until < extract(epoch FROM clock_timestamp()) THEN
        RAISE EXCEPTION 'the signature of the tenant context has expired; do the clocks agree?'
            USING ERRCODE = 'AT003';
    END IF;
    PERFORM set_config('backtrace_functions', context, true);
END
$$;
REVOKE EXECUTE ON FUNCTION platform.enter FROM PUBLIC;

-- The tenant that this transaction was opened to, in the role it was opened in; otherwise NULL, and so no row at all.
CREATE FUNCTION platform.tenant_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN split_part(current_setting('backtrace_functions'), ',', 2) = current_user
        THEN split_part(current_setting('backtrace_functions'), ',', 1)::uuid END;

-- Whether the role of this transaction is the one that it was opened in.
CREATE FUNCTION platform.is_entered() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN split_part(current_setting('backtrace_functions'), ',', 2) = current_user;

-- Ends the transaction unless exactly one row was touched: a stale version never commits.
CREATE FUNCTION platform.require_one(touched bigint) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF touched <> 1 THEN
        RAISE EXCEPTION 'the version is stale' USING ERRCODE = 'AT001';
    END IF;
END
$$;

-- Answers the name of a reaction, or ends the transaction where the event's key is parked: see parked_keys below.
CREATE FUNCTION platform.unless_parked(reaction text, is_parked boolean) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF is_parked THEN
        RAISE EXCEPTION 'the key of the event is parked' USING ERRCODE = 'AT004';
    END IF;
    RETURN reaction;
END
$$;

-- Ends a reading transaction on a replica that has not come as far as the reader has already seen.
CREATE FUNCTION platform.require_replayed(wanted pg_lsn) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF pg_is_in_recovery() AND pg_last_wal_replay_lsn() < wanted THEN
        RAISE EXCEPTION 'this replica is behind' USING ERRCODE = 'AT002';
    END IF;
END
$$;

-- The context that a schema belongs to: orders for orders itself and for orders__t0198…, a tenant's own.
CREATE FUNCTION platform.context_of(schema_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN split_part(schema_name, '__', 1);

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
    EXECUTE format('GRANT %s ON %s TO %I', rights, tenant_table, platform.context_of(schema_name) || '_app');
    -- A schema of one tenant's own takes nobody else's rows, whoever they are entered as.
    IF schema_name <> platform.context_of(schema_name) THEN
        EXECUTE format(
            'ALTER TABLE %s ADD CONSTRAINT own_tenant CHECK (tenant_id = %L)', tenant_table,
            substring(schema_name FROM '__t([0-9a-f]{32})$')::uuid);
    END IF;
END
$$;

-- Opens a row-secured table to a role that works across tenants.
CREATE FUNCTION platform.open_across_tenants(tenant_table regclass, to_role text, rights text)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE POLICY %I ON %s TO %I USING ((SELECT platform.is_entered())) '
        'WITH CHECK ((SELECT platform.is_entered()))', to_role, tenant_table, to_role);
    EXECUTE format('GRANT %s ON %s TO %I', rights, tenant_table, to_role);
END
$$;

-- Who went across tenants, when and what for. Written in the transaction that did it; read by nobody who serves requests.
CREATE TABLE platform.cross_tenant_access (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    role text NOT NULL DEFAULT current_user,
    actor text NOT NULL,
    reason text NOT NULL,
    -- Whether the row stands for every access of one process for this reason within the hour that begins with it.
    is_routine boolean NOT NULL,
    process text NOT NULL,
    -- Where the access was to one tenant alone.
    tenant_id uuid
);
ALTER TABLE platform.cross_tenant_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.cross_tenant_access FORCE ROW LEVEL SECURITY;
CREATE INDEX cross_tenant_access_age ON platform.cross_tenant_access USING brin (at);

-- How far each tenant is in each backfill, written in the transaction of the batch that got it there.
CREATE TABLE platform.backfill_progress (
    tenant_id uuid NOT NULL,
    -- As files are called: orders/0001_totals.
    backfill text NOT NULL,
    -- Of the last batch; NULL before the first.
    last_key text,
    rows bigint NOT NULL DEFAULT 0 CHECK (rows >= 0),
    done_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT backfill_progress_pkey PRIMARY KEY (tenant_id, backfill)
);
-- As platform.protect does it for a table of a context; here every context's role is given rights as it is made.
ALTER TABLE platform.backfill_progress ENABLE ROW LEVEL SECURITY;
ALTER TABLE platform.backfill_progress FORCE ROW LEVEL SECURITY;
-- lint: allow policy-by-hand because protect would take platform_app for the role, which there is not
CREATE POLICY tenant_isolation ON platform.backfill_progress USING (tenant_id = (SELECT platform.tenant_id()))
    WITH CHECK (tenant_id = (SELECT platform.tenant_id()));

-- What the current schema's context needs before its own tables: rights on the schema and, in the context's base schema,
-- its outbox, inbox, dead letters with what belongs to them, and receipts. Tenants with schemas of their own share those: see the decisions.
CREATE FUNCTION platform.create_context() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    schema_name text := current_schema();
    context text := platform.context_of(schema_name);
    app text := context || '_app';
    worker text := context || '_worker';
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, app);
    IF schema_name <> context THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', schema_name, worker);
    EXECUTE format('GRANT EXECUTE ON FUNCTION platform.enter TO %I, %I', app, worker);
    PERFORM platform.open_across_tenants('platform.cross_tenant_access', worker, 'INSERT');
    -- The control plane's tables are no tenant's to fill.
    IF context <> 'control' THEN
        EXECUTE format('GRANT SELECT, INSERT, UPDATE ON platform.backfill_progress TO %I', app);
    END IF;

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
    PERFORM platform.open_across_tenants(format('%I.outbox_cursor', context)::regclass, worker, 'SELECT, UPDATE');
    EXECUTE format('ALTER TABLE %I.outbox_cursor ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.outbox_cursor FORCE ROW LEVEL SECURITY', context);

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
    -- A discarded event has a row as well, so that it never takes effect when it comes again.
    PERFORM platform.open_across_tenants(format('%I.inbox', context)::regclass, worker, 'SELECT, INSERT, DELETE');

    -- Messages that could not be taken in or sent; the tenant is unknown where the message did not say.
    EXECUTE format($sql$
        CREATE TABLE %1$I.dead_letters (
            id uuid PRIMARY KEY,
            -- The order in which letters of one key are replayed.
            place bigint GENERATED ALWAYS AS IDENTITY,
            -- Whether it has nothing to do with the other events of its key, which do not wait for it.
            is_alone boolean NOT NULL,
            tenant_id uuid,
            direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
            kind text NOT NULL CHECK (
                kind IN ('failed', 'rejected', 'waiting', 'unknown_version', 'unknown_tenant', 'refused')),
            reaction text,
            topic text NOT NULL,
            partition int,
            "offset" bigint,
            key bytea,
            value bytea,
            header_names text[] NOT NULL,
            header_values bytea[] NOT NULL,
            event_id text,
            -- What the inbox knows the event by, where it can be read.
            fact_id uuid,
            event_type text,
            reason text NOT NULL,
            attempts int NOT NULL,
            failed_at timestamptz NOT NULL DEFAULT now(),
            resolved_at timestamptz,
            resolution text CHECK (resolution IN ('replayed', 'discarded')),
            resolved_by text,
            resolution_reason text,
            -- Of the message's key, value and headers: offsets begin anew when a topic is made anew.
            digest bytea NOT NULL,
            -- One dead letter for one failure, however often the message is read again.
            CONSTRAINT dead_letters_once UNIQUE NULLS NOT DISTINCT (digest, topic, partition, "offset", reaction),
            CONSTRAINT dead_letters_resolved CHECK (
                (resolved_at IS NULL) = (resolution IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL))
        )$sql$, context);
    EXECUTE format(
        'CREATE INDEX dead_letters_open ON %I.dead_letters (tenant_id, topic, key, place) WHERE resolved_at IS NULL AND NOT is_alone',
        context);
    EXECUTE format('ALTER TABLE %I.dead_letters ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.dead_letters FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(
        format('%I.dead_letters', context)::regclass, worker, 'SELECT, INSERT, UPDATE');

    -- Keys of a topic, aggregates that is, whose events wait among the dead letters until the first of them gets through.
    EXECUTE format($sql$
        CREATE TABLE %1$I.parked_keys (
            tenant_id uuid NOT NULL,
            topic text NOT NULL,
            key bytea NOT NULL,
            -- Of the letter that the others wait behind.
            kind text NOT NULL CHECK (kind IN ('failed', 'rejected', 'unknown_version', 'unknown_tenant')),
            reaction text,
            reason text NOT NULL,
            since timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT parked_keys_pkey PRIMARY KEY (tenant_id, topic, key)
        )$sql$, context);
    PERFORM platform.protect(format('%I.parked_keys', context)::regclass, 'SELECT');
    PERFORM platform.open_across_tenants(
        format('%I.parked_keys', context)::regclass, worker, 'SELECT, INSERT, UPDATE, DELETE');

    -- What operators did about events, who it was and why. Never changed.
    EXECUTE format($sql$
        CREATE TABLE %1$I.operator_actions (
            id uuid PRIMARY KEY,
            tenant_id uuid,
            at timestamptz NOT NULL DEFAULT now(),
            actor text NOT NULL,
            action text NOT NULL,
            subject text NOT NULL,
            reason text,
            outcome text NOT NULL
        )$sql$, context);
    EXECUTE format('ALTER TABLE %I.operator_actions ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.operator_actions FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(format('%I.operator_actions', context)::regclass, worker, 'SELECT, INSERT');

    -- How far each partition of a topic has been taken in, by the context's own word: the broker can forget its own.
    -- Used in the control plane's database.
    EXECUTE format($sql$
        CREATE TABLE %1$I.consumed (
            topic text NOT NULL,
            partition int NOT NULL,
            next_offset bigint NOT NULL CHECK (next_offset >= 0),
            at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT consumed_pkey PRIMARY KEY (topic, partition)
        )$sql$, context);
    EXECUTE format('ALTER TABLE %I.consumed ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.consumed FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(
        format('%I.consumed', context)::regclass, worker, 'SELECT, INSERT, UPDATE');

    -- Spans of a partition that the broker lost before they were taken in. Nothing is read from the partition until
    -- somebody says where to go on from, having had the span published again.
    EXECUTE format($sql$
        CREATE TABLE %1$I.stream_gaps (
            id uuid PRIMARY KEY,
            topic text NOT NULL,
            partition int NOT NULL,
            -- The next offset that was to be read; NULL where that is not known.
            expected bigint,
            -- What the broker has: its first offset, and the one that the next message will get.
            first_there bigint NOT NULL,
            end_there bigint NOT NULL,
            cause text NOT NULL,
            -- Until when everything is known to have been taken in.
            taken_in_until timestamptz,
            found_at timestamptz NOT NULL DEFAULT now(),
            resume_offset bigint,
            resolved_at timestamptz,
            resolved_by text,
            CONSTRAINT stream_gaps_resolved CHECK (
                (resolved_at IS NULL) = (resume_offset IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL))
        )$sql$, context);
    EXECUTE format(
        'CREATE UNIQUE INDEX stream_gaps_open ON %I.stream_gaps (topic, partition) WHERE resolved_at IS NULL', context);
    EXECUTE format('ALTER TABLE %I.stream_gaps ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.stream_gaps FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(
        format('%I.stream_gaps', context)::regclass, worker, 'SELECT, INSERT, UPDATE');

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
