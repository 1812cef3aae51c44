-- Metering: meters, the usage events that were recorded, and what they add up to minute by minute.
SELECT platform.create_context();

CREATE TABLE meters (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    key text NOT NULL CHECK (key ~ '^[a-z][a-z0-9._-]{0,99}$'),
    aggregation text NOT NULL CHECK (aggregation IN ('sum', 'count')),
    unit text NOT NULL CHECK (unit <> ''),
    defined_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    -- How many events it has recorded: the sequence that the last one was published with.
    recorded bigint NOT NULL DEFAULT 0 CHECK (recorded >= 0),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT meters_key_key UNIQUE (tenant_id, key)
) WITH (fillfactor = 50);
SELECT platform.protect('meters', 'SELECT, INSERT');
-- What a meter means is never changed: the past would change its meaning with it.
GRANT UPDATE (recorded) ON meters TO metering_app;

-- Every event that took effect, once: its key is what keeps it from taking effect again. Never deleted as long as its
-- sender may repeat it, so not by age alone: one sent without a time has no age by which it would be refused.
CREATE TABLE usage_events (
    tenant_id uuid NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    meter_id uuid NOT NULL,
    type text NOT NULL,
    subject text,
    -- What it added: the value, or 1 on a meter that counts.
    amount numeric NOT NULL CHECK (amount >= 0),
    happened_at timestamptz NOT NULL,
    -- Whether the sender said when; else it is when the event was recorded.
    time_stated boolean NOT NULL,
    dimensions jsonb NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source, event_id),
    FOREIGN KEY (tenant_id, meter_id) REFERENCES meters (tenant_id, id)
);
SELECT platform.protect('usage_events', 'SELECT, INSERT');

CREATE TABLE usage_buckets (
    tenant_id uuid NOT NULL,
    meter_id uuid NOT NULL,
    -- Its beginning, on a whole minute of UTC.
    minute timestamptz NOT NULL CHECK (minute = date_bin('1 minute', minute, timestamptz '1970-01-01 00:00:00+00')),
    count bigint NOT NULL CHECK (count > 0),
    sum numeric NOT NULL CHECK (sum >= 0),
    PRIMARY KEY (tenant_id, meter_id, minute),
    FOREIGN KEY (tenant_id, meter_id) REFERENCES meters (tenant_id, id)
) WITH (fillfactor = 50);
SELECT platform.protect('usage_buckets', 'SELECT, INSERT');
GRANT UPDATE (count, sum) ON usage_buckets TO metering_app;

-- Waits for this transaction's turn with each of these meters, defined or not, and reads those that are.
--
-- A transaction takes its number with its first write and the relay publishes in the order of numbers, so a turn must
-- come before the number: a row lock takes the number first and waits then, an advisory lock does not. Turns are taken
-- in the order of their locks, so that two transactions never wait for one another.
CREATE FUNCTION take_turns(keys text[]) RETURNS SETOF meters
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(turn) FROM (
        SELECT DISTINCT hashtextextended(format('metering.meter:%s:%s', platform.tenant_id(), key), 0) AS turn
        FROM unnest(keys) AS key ORDER BY turn) AS turns;
    -- A statement of its own sees what the turns before this one have committed.
    RETURN QUERY SELECT * FROM meters m
        WHERE m.tenant_id = (SELECT platform.tenant_id()) AND m.key = ANY (keys);
END
$$;
REVOKE EXECUTE ON FUNCTION take_turns FROM PUBLIC;
GRANT EXECUTE ON FUNCTION take_turns TO metering_app;
