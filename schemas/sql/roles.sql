-- Roles of the cluster. Run by an administrator before any migration, as often as one likes.
--
-- atrium_owner        owns every schema and table; nobody logs in as it
-- atrium_app          the server's login: owns nothing, inherits nothing, may only step into the roles below
-- atrium_provisioner  the login that makes tenants' schemas and databases, as atrium_owner
-- <context>_app       what a context's own code may do, for one tenant at a time
-- <context>_worker    what its relay, dead letters and clean-up may do, across tenants, on their own tables only
-- control_plane       finds a tenant by its slug, registers, places and suspends tenants
DO $roles$
DECLARE
    context text;
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['atrium_owner', 'control_plane'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', name);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'atrium_app') THEN
        CREATE ROLE atrium_app LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'atrium_provisioner') THEN
        CREATE ROLE atrium_provisioner LOGIN NOINHERIT NOSUPERUSER CREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    FOREACH context IN ARRAY ARRAY['control', 'identity', 'orders', 'billing', 'metering'] LOOP
        FOREACH name IN ARRAY ARRAY[context || '_app', context || '_worker'] LOOP
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', name);
            END IF;
            IF NOT pg_has_role('atrium_app', name, 'MEMBER') THEN
                EXECUTE format('GRANT %I TO atrium_app', name);
            END IF;
        END LOOP;
    END LOOP;
    IF NOT pg_has_role('atrium_app', 'control_plane', 'MEMBER') THEN
        GRANT control_plane TO atrium_app;
    END IF;
    IF NOT pg_has_role('atrium_provisioner', 'atrium_owner', 'MEMBER') THEN
        GRANT atrium_owner TO atrium_provisioner;
    END IF;
    IF NOT pg_has_role(current_user, 'atrium_owner', 'MEMBER') THEN
        EXECUTE format('GRANT atrium_owner TO %I', current_user);
    END IF;
    -- Where platform.enter keeps the tenant of a transaction.
    IF NOT has_parameter_privilege('atrium_owner', 'backtrace_functions', 'SET') THEN
        GRANT SET ON PARAMETER backtrace_functions TO atrium_owner;
    END IF;
END
$roles$;
