-- The control plane: what is sold, where data can live, which tenants there are and where each of them lives.
-- In one database of an installation only.
SELECT platform.create_context();
GRANT USAGE ON SCHEMA control TO control_plane;
GRANT EXECUTE ON FUNCTION platform.enter TO control_plane;
SELECT platform.open_across_tenants('platform.cross_tenant_access', 'control_plane', 'INSERT');

-- What is sold. What a tenant may use of the shared servers is a part of it.
CREATE TABLE skus (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9-]{0,39}$'),
    tier text NOT NULL CHECK (tier IN ('pool', 'bridge', 'silo')),
    -- When a commit counts: see synchronous_commit in PostgreSQL's documentation.
    durability text NOT NULL DEFAULT 'on' CHECK (durability IN ('off', 'local', 'on', 'remote_apply')),
    -- A tenant's share where tenants wait for connections, and how many it may hold in one process.
    weight int NOT NULL CHECK (weight BETWEEN 1 AND 1000),
    connections int NOT NULL CHECK (connections > 0),
    on_sale boolean NOT NULL DEFAULT true
);
INSERT INTO skus (code, tier, durability, weight, connections) VALUES
    ('starter', 'pool', 'on', 1, 8),
    ('growth', 'pool', 'on', 2, 16),
    ('scale', 'bridge', 'on', 4, 16),
    ('enterprise', 'silo', 'on', 8, 24);

CREATE TABLE regions (
    code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9-]{0,39}$'),
    open boolean NOT NULL DEFAULT true
);
INSERT INTO regions (code) VALUES ('ap-southeast'), ('eu-central'), ('eu-west'), ('us-east'), ('us-west');

-- PostgreSQL servers, by the names that the configuration has addresses and credentials for.
CREATE TABLE servers (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,39}$'),
    -- The region that it stands in; NULL serves every region, for an installation with one place only.
    region text REFERENCES regions,
    open boolean NOT NULL DEFAULT true
);

-- Databases with tenants' data: those that tenants share, and those that one tenant has to itself.
CREATE TABLE databases (
    name text PRIMARY KEY,
    server text NOT NULL REFERENCES servers,
    database_name text NOT NULL CHECK (database_name ~ '^[a-z][a-z0-9_]{0,62}$'),
    silo_of uuid UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT databases_place_key UNIQUE (server, database_name)
);

-- The first rule that fits decides, in the order of their numbers; a NULL fits everything.
CREATE TABLE placement_rules (
    number int PRIMARY KEY,
    sku text REFERENCES skus,
    region text REFERENCES regions,
    tier text NOT NULL CHECK (tier IN ('pool', 'bridge', 'silo')),
    -- NULL leaves the choice among the servers of the tenant's region.
    server text REFERENCES servers,
    reason text NOT NULL CHECK (reason <> '')
);
INSERT INTO placement_rules (number, sku, region, tier, server, reason) VALUES
    (1000, 'starter', NULL, 'pool', NULL, 'starter shares tables'),
    (1010, 'growth', NULL, 'pool', NULL, 'growth shares tables'),
    (1020, 'scale', NULL, 'bridge', NULL, 'scale has schemas of its own'),
    (1030, 'enterprise', NULL, 'silo', NULL, 'enterprise has a database of its own');

-- The slug is the one value that is unique across tenants: it is how a tenant is told from the others. So is what is
-- left of it when characters that look alike are taken for one.
CREATE TABLE tenants (
    tenant_id uuid PRIMARY KEY,
    slug text NOT NULL,
    slug_likeness text NOT NULL,
    name text NOT NULL,
    sku text NOT NULL REFERENCES skus,
    region text NOT NULL REFERENCES regions,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'suspended')),
    suspension_reason text,
    -- One that Atrium made to watch over the fences between tenants.
    is_canary boolean NOT NULL DEFAULT false,
    registered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    -- The transaction that changed it last: directories in other processes ask for what is new since they last asked.
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    CONSTRAINT tenants_slug_likeness_key UNIQUE (slug_likeness),
    CONSTRAINT tenants_reason_when_suspended CHECK ((state = 'suspended') = (suspension_reason IS NOT NULL))
);
CREATE INDEX tenants_by_change ON tenants (changed_in);
SELECT platform.protect('tenants', 'SELECT');
SELECT platform.open_across_tenants('tenants', 'control_plane', 'SELECT, INSERT, DELETE');
GRANT UPDATE (state, suspension_reason, updated_at, version, changed_in) ON tenants TO control_plane;

-- Where a tenant lives.
CREATE TABLE placements (
    tenant_id uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    tier text NOT NULL CHECK (tier IN ('pool', 'bridge', 'silo')),
    server text NOT NULL REFERENCES servers,
    database text NOT NULL,
    is_override boolean NOT NULL,
    decided_at timestamptz NOT NULL,
    changed_in xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX placements_by_change ON placements (changed_in);
CREATE INDEX placements_by_database ON placements (database);
SELECT platform.protect('placements', 'SELECT');
SELECT platform.open_across_tenants('placements', 'control_plane', 'SELECT, INSERT, DELETE');

-- Each decision where a tenant lives, with its reason; kept when the tenant is gone.
CREATE TABLE routing_decisions (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    slug text NOT NULL,
    sku text NOT NULL,
    region text NOT NULL,
    tier text NOT NULL,
    server text NOT NULL,
    database text NOT NULL,
    -- NULL where a person decided.
    rule int,
    reason text NOT NULL,
    actor text NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX routing_decisions_by_tenant ON routing_decisions (tenant_id, decided_at);
ALTER TABLE routing_decisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE routing_decisions FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('routing_decisions', 'control_plane', 'SELECT, INSERT');

-- How far the making of a tenant has come, step by step.
CREATE TABLE provisioning_steps (
    tenant_id uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    number int NOT NULL,
    name text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    started_at timestamptz,
    finished_at timestamptz,
    error text,
    PRIMARY KEY (tenant_id, number)
);
ALTER TABLE provisioning_steps ENABLE ROW LEVEL SECURITY;
ALTER TABLE provisioning_steps FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('provisioning_steps', 'control_plane', 'SELECT, INSERT, UPDATE');

-- What the request that registers a tenant was, as long as the tenant is pending: only its repetition may go on with it.
-- The fingerprint is encrypted like a receipt's.
CREATE TABLE registrations (
    tenant_id uuid PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
    key text NOT NULL CONSTRAINT registrations_key_key UNIQUE,
    sealed_fingerprint bytea NOT NULL,
    administrator_id uuid NOT NULL,
    key_id uuid NOT NULL,
    salt bytea NOT NULL CHECK (octet_length(salt) >= 16),
    started_at timestamptz NOT NULL
);
ALTER TABLE registrations ENABLE ROW LEVEL SECURITY;
ALTER TABLE registrations FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('registrations', 'control_plane', 'SELECT, INSERT, DELETE');

-- Whoever slips into the role by a statement of his own still has not entered it, and sees and changes nothing.
SELECT platform.open_across_tenants('skus', 'control_plane', 'SELECT');
SELECT platform.open_across_tenants('regions', 'control_plane', 'SELECT');
SELECT platform.open_across_tenants('servers', 'control_plane', 'SELECT');
SELECT platform.open_across_tenants('databases', 'control_plane', 'SELECT, INSERT, DELETE');
SELECT platform.open_across_tenants('placement_rules', 'control_plane', 'SELECT');
ALTER TABLE skus ENABLE ROW LEVEL SECURITY;
ALTER TABLE regions ENABLE ROW LEVEL SECURITY;
ALTER TABLE servers ENABLE ROW LEVEL SECURITY;
ALTER TABLE databases ENABLE ROW LEVEL SECURITY;
ALTER TABLE placement_rules ENABLE ROW LEVEL SECURITY;
GRANT INSERT (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id,
    traceparent, payload, fact_id, extensions) ON outbox TO control_plane;

-- Answers to the operator's commands that carried an Idempotency-Key; they belong to no tenant. The fingerprint is
-- encrypted with a key that the database does not have: the request it was made from held a password, which could
-- otherwise be guessed from it much faster than from the password's own hash. The body has no secret in it.
CREATE TABLE operator_receipts (
    key text NOT NULL,
    sealed_fingerprint bytea NOT NULL,
    status int NOT NULL,
    header_names text[] NOT NULL,
    header_values text[] NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operator_receipts_pkey PRIMARY KEY (key)
);
ALTER TABLE operator_receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE operator_receipts FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('operator_receipts', 'control_plane', 'SELECT, INSERT');
SELECT platform.open_across_tenants('operator_receipts', 'control_worker', 'SELECT, DELETE');

-- Ed25519 keys that sign session tokens, shared by every process. A key verifies for as long as its last token lives.
-- Encrypted with a key that the database does not have, so that a copy of the database forges nothing.
CREATE TABLE signing_keys (
    id uuid PRIMARY KEY,
    sealed_key bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    signs_until timestamptz NOT NULL CHECK (signs_until > signs_from)
);
ALTER TABLE signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE signing_keys FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('signing_keys', 'control_plane', 'SELECT, INSERT, DELETE');
