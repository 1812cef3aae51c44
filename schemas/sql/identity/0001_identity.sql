-- A tenant's users and keys. Which tenants there are is the control plane's: this lives beside their other data.
SELECT platform.create_context();

CREATE TABLE users (
    tenant_id uuid NOT NULL,
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
SELECT platform.protect('users', 'SELECT, INSERT');
GRANT UPDATE (password_hash, status, updated_at, version) ON users TO identity_app;

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL,
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
SELECT platform.protect('api_keys', 'SELECT, INSERT');
GRANT UPDATE (revoked_at, version) ON api_keys TO identity_app;
