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

-- Numbers a context's events in the order in which a transaction leaves them. A trigger, because a partitioned table has
-- no identity column, and the right to use a sequence would tell a tenant how much the others have going on.
-- lint: allow security-definer because nobody can call it but the outbox's trigger, and it takes nothing from the row
CREATE FUNCTION platform.number_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.position := nextval(TG_ARGV[0]::regclass);
    RETURN NEW;
END
$$;

-- Makes a day's partition of a table where it is missing; answers whether it did. `copied` are the table's properties that
-- it shall have as well. What is attached when it is done holds nobody up who writes. A day that has rows in the default
-- partition already stays there.
CREATE FUNCTION platform.add_day(context text, parent text, day date, copied text, first text, behind text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
    IF to_regclass(format('%I.%I', context, part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- Against others who are at this as well.
    EXECUTE format('LOCK TABLE %I.%I IN SHARE UPDATE EXCLUSIVE MODE', context, parent);
    IF to_regclass(format('%I.%I', context, part)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %1$I.%2$I (LIKE %1$I.%3$I %4$s)', context, part, parent, copied);
    EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', context, part);
    EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', context, part);
    -- Unlike CREATE … PARTITION OF this lets others write meanwhile.
    EXECUTE format(
        'ALTER TABLE %1$I.%3$I ATTACH PARTITION %1$I.%2$I FOR VALUES FROM (%4$L) TO (%5$L)', context, part, parent, first,
        behind);
    RETURN true;
EXCEPTION WHEN check_violation THEN
    RETURN false;
END
$$;

-- Makes the partitions of an outbox for today and the days to come that are missing; answers how many it made. Rows of a
-- day that stays in the default partition are published like the others.
CREATE FUNCTION platform.extend_outbox(context text, days int) RETURNS int
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT count(*) FILTER (WHERE platform.add_day(
        context, 'outbox', d::date, 'INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE',
        d::date::timestamptz::text, (d::date + 1)::timestamptz::text))::int
    FROM generate_series(current_date, current_date + least(days, 31), interval '1 day') AS d
$$;

-- Drops the oldest partition of an outbox that ended longer ago than the retention, or empties the default partition when
-- all in it is as old; answers its name, or NULL where there is none or where something in it is not published.
CREATE FUNCTION platform.shorten_outbox(context text, retention interval) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    -- Whoever asks: what is not over yet stays.
    until timestamptz := now() - greatest(retention, interval '0');
    part text;
    first timestamptz;
    last timestamptz;
    is_published boolean;
BEGIN
    SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('%I.outbox', context)::regclass AND (
        c.relname ~ '^outbox_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= until
        OR c.relname = 'outbox_default' AND pg_relation_size(c.oid) > 0)
    ORDER BY c.relname LIMIT 1;
    IF part IS NULL THEN
        RETURN NULL;
    END IF;
    -- In the relays' order: first the cursors, then the events. Nobody writes either until this transaction ends.
    EXECUTE format('LOCK TABLE %I.outbox_cursor IN EXCLUSIVE MODE', context);
    EXECUTE format('LOCK TABLE %I.outbox IN ACCESS EXCLUSIVE MODE', context);
    -- The owner itself is held to row security otherwise, and would see no row that keeps the partition.
    EXECUTE format('ALTER TABLE %I.%I NO FORCE ROW LEVEL SECURITY', context, part);
    EXECUTE format($sql$
        SELECT NOT EXISTS (
                SELECT FROM %1$I.outbox_cursor c CROSS JOIN LATERAL (
                    SELECT FROM %1$I.%2$I o
                    WHERE o.shard = c.shard AND (o.transaction_id, o.position) > (c.transaction_id, c.position)
                    ORDER BY o.transaction_id, o.position LIMIT 1) AS behind)
            AND NOT EXISTS (
                SELECT FROM %1$I.outbox_cursor c CROSS JOIN jsonb_to_recordset(c.lanes)
                    AS l (tenant uuid, transaction text, position bigint)
                CROSS JOIN LATERAL (
                    SELECT FROM %1$I.%2$I o
                    WHERE o.tenant_id = l.tenant AND o.shard = c.shard
                        AND (o.transaction_id, o.position) > (l.transaction::xid8, l.position)
                        AND (o.transaction_id, o.position) <= (c.transaction_id, c.position)
                    ORDER BY o.transaction_id, o.position LIMIT 1) AS behind)
        $sql$, context, part) INTO is_published;
    IF part = 'outbox_default' THEN
        EXECUTE format('SELECT min(recorded_at), max(recorded_at) FROM %I.%I', context, part) INTO first, last;
        IF NOT is_published OR last > until THEN
            EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', context, part);
            RETURN NULL;
        END IF;
        EXECUTE format('TRUNCATE %I.%I', context, part);
        EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', context, part);
        IF first IS NULL THEN
            RETURN NULL;
        END IF;
        last := last + interval '1 microsecond';
    ELSIF is_published THEN
        first := to_date(right(part, 8), 'YYYYMMDD')::timestamptz;
        last := first + interval '1 day';
        EXECUTE format('DROP TABLE %I.%I', context, part);
    ELSE
        EXECUTE format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', context, part);
        RETURN NULL;
    END IF;
    EXECUTE format(
        'INSERT INTO %I.outbox_drops (partition, recorded_from, recorded_to) VALUES ($1, $2, $3)', context)
    USING part, first, last;
    RETURN part;
END
$$;

-- A context's outbox, what its relays know of it, and what keeps it.
CREATE FUNCTION platform.create_outbox(context text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    worker text := context || '_worker';
    keeper text;
BEGIN
    -- Append-only. Read in the order of (transaction_id, position), never past a transaction that may still commit.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox (
            tenant_id uuid NOT NULL,
            position bigint NOT NULL DEFAULT 0,
            transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
            -- When the row was written, not when its transaction began.
            recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            event_id uuid NOT NULL,
            topic text NOT NULL,
            type text NOT NULL,
            aggregate_id uuid NOT NULL,
            aggregate_version bigint NOT NULL,
            occurred_at timestamptz NOT NULL CHECK (isfinite(occurred_at)),
            correlation_id uuid NOT NULL,
            causation_id uuid,
            traceparent text NOT NULL,
            payload text NOT NULL,
            -- Shared by all versions that one fact is published in, and what inboxes know it by; NULL where there is one.
            fact_id uuid,
            -- Further headers that not every event has, names and values in turn.
            extensions text[] CHECK (
                array_position(extensions, NULL) IS NULL AND cardinality(extensions) %% 2 = 0),
            -- All events of an aggregate are in one of eight shards.
            shard smallint NOT NULL GENERATED ALWAYS AS ((get_byte(uuid_send(aggregate_id), 15) & 7)::smallint) STORED
        ) PARTITION BY RANGE (recorded_at)$sql$, context);
    EXECUTE format('CREATE SEQUENCE %1$I.outbox_position_seq OWNED BY %1$I.outbox.position', context);
    EXECUTE format(
        'CREATE TRIGGER number_event BEFORE INSERT ON %1$I.outbox FOR EACH ROW '
        'EXECUTE FUNCTION platform.number_event(%2$L)', context, format('%I.outbox_position_seq', context));
    EXECUTE format('CREATE INDEX outbox_commit_order ON %I.outbox (shard, transaction_id, position)', context);
    -- For the relay's lanes: one tenant's events of a shard.
    EXECUTE format('CREATE INDEX outbox_lanes ON %I.outbox (tenant_id, shard, transaction_id, position)', context);
    PERFORM platform.protect(format('%I.outbox', context)::regclass, platform.outbox_rights());
    PERFORM platform.open_across_tenants(format('%I.outbox', context)::regclass, worker, 'SELECT');
    -- Takes what comes when upkeep is late, so that no insert ever fails for want of a partition.
    EXECUTE format('CREATE TABLE %1$I.outbox_default PARTITION OF %1$I.outbox DEFAULT', context);
    EXECUTE format('ALTER TABLE %I.outbox_default ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.outbox_default FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.extend_outbox(context, 3);

    -- How far each shard has been published, and which process publishes it until when. Everything up to the position
    -- is published but for the tenants that have a lane: theirs is published up to where the lane is. No owner is held
    -- to row security here and in the next two: what keeps the outbox has to see them.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox_cursor (
            shard smallint PRIMARY KEY CHECK (shard BETWEEN 0 AND 7),
            transaction_id xid8 NOT NULL DEFAULT '0',
            position bigint NOT NULL DEFAULT 0,
            lanes jsonb NOT NULL DEFAULT '[]',
            -- All that was recorded before is published.
            published_before timestamptz NOT NULL DEFAULT '-infinity',
            owner uuid,
            lease_until timestamptz NOT NULL DEFAULT '-infinity'
        )$sql$, context);
    EXECUTE format('INSERT INTO %I.outbox_cursor (shard) SELECT generate_series(0, 7)', context);
    PERFORM platform.open_across_tenants(format('%I.outbox_cursor', context)::regclass, worker, 'SELECT, UPDATE');
    EXECUTE format('ALTER TABLE %I.outbox_cursor ENABLE ROW LEVEL SECURITY', context);

    -- The processes that publish this outbox, each of them until it is not heard of any more.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox_relays (
            owner uuid PRIMARY KEY,
            seen_until timestamptz NOT NULL
        )$sql$, context);
    PERFORM platform.open_across_tenants(
        format('%I.outbox_relays', context)::regclass, worker, 'SELECT, INSERT, UPDATE, DELETE');
    EXECUTE format('ALTER TABLE %I.outbox_relays ENABLE ROW LEVEL SECURITY', context);

    -- What is no longer held, for those who have to know how far back an event may still come from.
    EXECUTE format($sql$
        CREATE TABLE %1$I.outbox_drops (
            partition text NOT NULL,
            recorded_from timestamptz NOT NULL,
            recorded_to timestamptz NOT NULL,
            dropped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT outbox_drops_pkey PRIMARY KEY (recorded_from, dropped_at)
        )$sql$, context);
    PERFORM platform.open_across_tenants(format('%I.outbox_drops', context)::regclass, worker, 'SELECT');
    EXECUTE format('ALTER TABLE %I.outbox_drops ENABLE ROW LEVEL SECURITY', context);

    -- With the owner's rights, for the context's worker alone, and gone again where a lock does not come at once.
    EXECUTE format($sql$
        CREATE FUNCTION %1$I.extend_outbox(days int) RETURNS int LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $call$SELECT platform.extend_outbox(%1$L, days)$call$ $sql$, context);
    EXECUTE format($sql$
        CREATE FUNCTION %1$I.shorten_outbox(retention interval) RETURNS text LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $call$SELECT platform.shorten_outbox(%1$L, retention)$call$ $sql$, context);
    FOREACH keeper IN ARRAY ARRAY['extend_outbox', 'shorten_outbox'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I.%I FROM PUBLIC', context, keeper);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%I TO %I', context, keeper, worker);
    END LOOP;
END
$$;

-- The first of the identifiers (UUIDv7) that are made at this time.
CREATE FUNCTION platform.first_id_at(moment timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

-- Makes the partitions of an inbox for yesterday, today and the days to come that are missing, by the time that
-- identifiers of events begin with; answers how many it made.
CREATE FUNCTION platform.extend_inbox(context text, days int) RETURNS int
    LANGUAGE sql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
    SELECT count(*) FILTER (WHERE platform.add_day(
        context, 'inbox', d::date, 'INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES',
        platform.first_id_at(d::date::timestamptz)::text, platform.first_id_at((d::date + 1)::timestamptz)::text))::int
    FROM generate_series(current_date - 1, current_date + least(days, 31), interval '1 day') AS d
$$;

-- Drops the oldest partition of an inbox that ends before the moment, or deletes what the default partition holds of
-- events taken in before it; answers its name, or NULL where nothing is as old. Whoever calls it knows that none of these
-- events can come again.
CREATE FUNCTION platform.shorten_inbox(context text, before timestamptz) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    part text;
    deleted bigint;
BEGIN
    SELECT c.relname INTO part FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('%I.inbox', context)::regclass AND c.relname ~ '^inbox_[0-9]{8}$'
        AND to_date(right(c.relname, 8), 'YYYYMMDD') + 1 <= before
    ORDER BY c.relname LIMIT 1;
    IF part IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I.%I', context, part);
        RETURN part;
    END IF;
    IF pg_relation_size(format('%I.inbox_default', context)::regclass) = 0 THEN
        RETURN NULL;
    END IF;
    -- The owner itself is held to row security otherwise, and would see no row.
    EXECUTE format('ALTER TABLE %I.inbox_default NO FORCE ROW LEVEL SECURITY', context);
    EXECUTE format('DELETE FROM %I.inbox_default WHERE processed_at < $1', context) USING before;
    GET DIAGNOSTICS deleted = ROW_COUNT;
    EXECUTE format('ALTER TABLE %I.inbox_default FORCE ROW LEVEL SECURITY', context);
    RETURN CASE WHEN deleted > 0 THEN 'inbox_default' END;
END
$$;

-- A context's inbox, and what keeps it.
CREATE FUNCTION platform.create_inbox(context text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    worker text := context || '_worker';
    keeper text;
BEGIN
    -- One row for each event that a reaction has taken effect for, in partitions by the time of the event's identifier.
    EXECUTE format($sql$
        CREATE TABLE %1$I.inbox (
            tenant_id uuid NOT NULL,
            event_id uuid NOT NULL,
            reaction text NOT NULL,
            processed_at timestamptz NOT NULL DEFAULT now(),
            CONSTRAINT inbox_pkey PRIMARY KEY (tenant_id, event_id, reaction)
        ) PARTITION BY RANGE (event_id)$sql$, context);
    PERFORM platform.protect(format('%I.inbox', context)::regclass, 'SELECT, INSERT');
    -- A discarded event has a row as well, so that it never takes effect when it comes again.
    PERFORM platform.open_across_tenants(format('%I.inbox', context)::regclass, worker, 'SELECT, INSERT, DELETE');
    EXECUTE format('CREATE TABLE %1$I.inbox_default PARTITION OF %1$I.inbox DEFAULT', context);
    EXECUTE format('ALTER TABLE %I.inbox_default ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.inbox_default FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.extend_inbox(context, 3);

    -- What was seen of the sources' outboxes: at this time, nothing in them had been recorded before that.
    -- Used in the control plane's database.
    EXECUTE format($sql$
        CREATE TABLE %1$I.inbox_horizons (
            observed_at timestamptz PRIMARY KEY,
            recorded_before timestamptz NOT NULL
        )$sql$, context);
    EXECUTE format('ALTER TABLE %I.inbox_horizons ENABLE ROW LEVEL SECURITY', context);
    EXECUTE format('ALTER TABLE %I.inbox_horizons FORCE ROW LEVEL SECURITY', context);
    PERFORM platform.open_across_tenants(
        format('%I.inbox_horizons', context)::regclass, worker, 'SELECT, INSERT, DELETE');

    -- As with the outbox.
    EXECUTE format($sql$
        CREATE FUNCTION %1$I.extend_inbox(days int) RETURNS int LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $call$SELECT platform.extend_inbox(%1$L, days)$call$ $sql$, context);
    EXECUTE format($sql$
        CREATE FUNCTION %1$I.shorten_inbox(before timestamptz) RETURNS text LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms'
            AS $call$SELECT platform.shorten_inbox(%1$L, before)$call$ $sql$, context);
    FOREACH keeper IN ARRAY ARRAY['extend_inbox', 'shorten_inbox'] LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %I.%I FROM PUBLIC', context, keeper);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %I.%I TO %I', context, keeper, worker);
    END LOOP;
END
$$;

-- What a context's role may write of an event; place, time and order are not its to say.
CREATE FUNCTION platform.outbox_rights() RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN 'INSERT (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, '
        'causation_id, traceparent, payload, fact_id, extensions)';

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

    PERFORM platform.create_outbox(context);

    PERFORM platform.create_inbox(context);

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
            -- The broker's time of the last message.
            recorded_at timestamptz,
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
            -- The broker's time of the last message that was taken in.
            taken_in_until timestamptz,
            found_at timestamptz NOT NULL DEFAULT now(),
            resume_offset bigint,
            resolved_at timestamptz,
            resolved_by text,
            -- When reading went on.
            taken_at timestamptz,
            CONSTRAINT stream_gaps_resolved CHECK (
                (resolved_at IS NULL) = (resume_offset IS NULL) AND (resolved_at IS NULL) = (resolved_by IS NULL))
        )$sql$, context);
    EXECUTE format(
        'CREATE UNIQUE INDEX stream_gaps_open ON %I.stream_gaps (topic, partition) WHERE taken_at IS NULL', context);
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
REVOKE EXECUTE ON FUNCTION platform.protect, platform.open_across_tenants, platform.create_context,
    platform.add_day, platform.create_outbox, platform.extend_outbox, platform.shorten_outbox, platform.number_event,
    platform.outbox_rights, platform.create_inbox, platform.extend_inbox, platform.shorten_inbox,
    platform.first_id_at FROM PUBLIC;
