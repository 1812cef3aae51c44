-- Tenants, their users and keys, and what the control plane keeps beside them.
-- Runs as atrium_owner, after platform.

SELECT platform.create_context('identity');
GRANT USAGE ON SCHEMA identity TO identity_control;

-- The slug is the one value that is unique across tenants: it is how a tenant is told from the others.
CREATE TABLE identity.tenants (
    tenant_id uuid PRIMARY KEY,
    slug text NOT NULL,
    name text NOT NULL,
    sku text NOT NULL,
    region text NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'active', 'suspended')),
    suspension_reason text,
    registered_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    CONSTRAINT tenants_slug_key UNIQUE (slug),
    CONSTRAINT tenants_reason_when_suspended CHECK ((state = 'suspended') = (suspension_reason IS NOT NULL))
);
SELECT platform.protect('identity.tenants', 'SELECT');
SELECT platform.open_across_tenants('identity.tenants', 'identity_control', 'SELECT, INSERT');
GRANT UPDATE (state, suspension_reason, updated_at, version) ON identity.tenants TO identity_control;

CREATE TABLE identity.users (
    tenant_id uuid NOT NULL REFERENCES identity.tenants,
    user_id uuid NOT NULL,
    email text NOT NULL CHECK (email = lower(email)),
    name text NOT NULL,
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    role text NOT NULL CHECK (role IN ('administrator', 'member')),
    status text NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT users_email_key UNIQUE (tenant_id, email)
);
SELECT platform.protect('identity.users', 'SELECT');
GRANT UPDATE (password_hash, status, updated_at, version) ON identity.users TO identity_app;
-- The first administrator, for the one tenant that is being registered: the tenant policy holds for this role too.
GRANT INSERT ON identity.users TO identity_control;

CREATE TABLE identity.api_keys (
    tenant_id uuid NOT NULL REFERENCES identity.tenants,
    key_id uuid NOT NULL,
    name text NOT NULL,
    permission text NOT NULL CHECK (permission IN ('read', 'write')),
    digest bytea NOT NULL CHECK (octet_length(digest) = 32),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz CHECK (expires_at > created_at),
    revoked_at timestamptz,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (tenant_id, key_id)
);
SELECT platform.protect('identity.api_keys', 'SELECT, INSERT');
GRANT UPDATE (revoked_at, version) ON identity.api_keys TO identity_app;
GRANT INSERT ON identity.api_keys TO identity_control;

GRANT INSERT ON identity.outbox TO identity_control;

-- Answers to the operator's commands that carried an Idempotency-Key; they belong to no tenant. The fingerprint is
-- encrypted with a key that the database does not have: the request it was made from held a password, which could
-- otherwise be guessed from it much faster than from the password's own hash. The body has no secret in it.
CREATE TABLE identity.operator_receipts (
    key text NOT NULL,
    sealed_fingerprint bytea NOT NULL,
    status int NOT NULL,
    header_names text[] NOT NULL,
    header_values text[] NOT NULL,
    body bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT operator_receipts_pkey PRIMARY KEY (key)
);
ALTER TABLE identity.operator_receipts ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.operator_receipts FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('identity.operator_receipts', 'identity_control', 'SELECT, INSERT');
SELECT platform.open_across_tenants('identity.operator_receipts', 'identity_worker', 'SELECT, DELETE');

-- Ed25519 keys that sign session tokens, shared by every process. A key verifies for as long as its last token lives.
-- Encrypted with a key that the database does not have, so that a copy of the database forges nothing.
CREATE TABLE identity.signing_keys (
    id uuid PRIMARY KEY,
    sealed_key bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    signs_until timestamptz NOT NULL CHECK (signs_until > signs_from)
);
ALTER TABLE identity.signing_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity.signing_keys FORCE ROW LEVEL SECURITY;
SELECT platform.open_across_tenants('identity.signing_keys', 'identity_control', 'SELECT, INSERT, DELETE');
