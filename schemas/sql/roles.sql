-- Roles of the cluster. Run by an administrator before any migration, as often as one likes.
--
-- atrium_owner   owns every schema and table; nobody logs in as it
-- atrium_app     the server's login: owns nothing, inherits nothing, may only step into the roles below
-- <context>_app      what a context's own code may do, for one tenant at a time
-- <context>_worker   what its relay, dead letters and clean-up may do, across tenants, on their own tables only
-- identity_control   the control plane: finds a tenant by its slug, registers and suspends tenants
DO $roles$
DECLARE
    context text;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['atrium_owner', 'identity_control'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', name);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'atrium_app') THEN
        CREATE ROLE atrium_app LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    FOREACH context IN ARRAY ARRAY['identity', 'orders', 'billing', 'metering'] LOOP
        FOREACH name IN ARRAY ARRAY[context || '_app', context || '_worker'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', name);
            END IF;
            EXECUTE format('GRANT %I TO atrium_app', name);
        END LOOP;
    END LOOP;
    GRANT identity_control TO atrium_app;
    EXECUTE format('GRANT atrium_owner TO %I', current_user);
END
$roles$;
