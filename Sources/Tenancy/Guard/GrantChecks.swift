import Postgres

/// What the login and its roles may touch.
enum GrantChecks {
    static let all: [SQL] = [
        ownership, ownGrants, structural, foreignRelations, foreignSchemas, foreignFunctions, making, keys,
    ]

    private static let ownership: SQL = """
        WITH \(Catalogue.acting), owned AS (
            SELECT c.relowner AS owner, format('%I.%I', n.nspname, c.relname) AS what
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE \(Catalogue.ours)
            UNION ALL SELECT p.proowner, p.oid::regprocedure::text
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE \(Catalogue.ours)
            UNION ALL SELECT n.nspowner, format('schema %I', n.nspname) FROM pg_namespace n WHERE \(Catalogue.ours)
            UNION ALL SELECT datdba, format('database %I', datname) FROM pg_database WHERE datname = current_database())
        SELECT format('%s %I owns %s; give it to atrium_owner',
            CASE WHEN is_login THEN 'login role' ELSE 'role' END, rolname, what)
        FROM owned JOIN acting ON oid = owner
        ORDER BY 1
        """

    private static let ownGrants: SQL = """
        SELECT format('login role %I has rights of its own on %I.%I; revoke them%s', session_user, n.nspname, c.relname,
            CASE WHEN bool_or(a.grantee = 0) THEN ' from PUBLIC' ELSE '' END)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
        WHERE \(Catalogue.ours)
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
            AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = session_user)
            AND a.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
        GROUP BY n.nspname, c.relname
        ORDER BY 1
        """

    /// TRUNCATE knows no row security, and the others let a role look past it or put code in others' way.
    private static let structural: SQL = """
        WITH \(Catalogue.acting)
        SELECT format('role %I has %s on %I.%I; run: REVOKE %s ON %I.%I FROM %I',
            rolname, rights, nspname, relname, rights, nspname, relname, rolname)
        FROM (
            SELECT grantee, nspname, relname, string_agg(DISTINCT privilege_type, ', ') AS rights FROM (
                SELECT n.nspname, c.relname, a.grantee, a.privilege_type
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
                WHERE \(Catalogue.ours)
                UNION ALL SELECT n.nspname, c.relname, a.grantee, a.privilege_type
                FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
                    aclexplode(t.attacl) a
                WHERE t.attacl IS NOT NULL AND \(Catalogue.ours)) AS rights
            WHERE privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')
            GROUP BY 1, 2, 3) AS found
        JOIN acting ON oid = grantee
        ORDER BY 1
        """

    /// The platform's own tables are open in two ways alone: to write that somebody went across tenants, and to keep how far
    /// a tenant's backfill is.
    private static let foreignRelations: SQL = """
        WITH \(Catalogue.acting)
        SELECT DISTINCT format('role %I has rights on %I.%I, which is not its context''s; run: REVOKE ALL ON %I.%I FROM %I',
            rolname, nspname, relname, nspname, relname, rolname)
        FROM (
            SELECT n.nspname, c.relname, a.grantee, a.privilege_type
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
            WHERE \(Catalogue.ours)
            UNION ALL SELECT n.nspname, c.relname, a.grantee, a.privilege_type
            FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
                aclexplode(t.attacl) a
            WHERE t.attacl IS NOT NULL AND \(Catalogue.ours)) AS rights
        JOIN acting ON oid = grantee
        WHERE NOT is_login AND context IS DISTINCT FROM split_part(nspname, '__', 1)
            AND NOT (nspname = 'platform' AND relname = 'cross_tenant_access' AND privilege_type = 'INSERT' AND is_across)
            AND NOT (nspname = 'platform' AND relname = 'backfill_progress' AND NOT is_across
                AND privilege_type IN ('SELECT', 'INSERT', 'UPDATE') AND coalesce(context, 'control') <> 'control')
        ORDER BY 1
        """

    private static let foreignSchemas: SQL = """
        WITH \(Catalogue.acting)
        SELECT DISTINCT format('role %I has rights on the schema %I, which is not its context''s; run: \
        REVOKE ALL ON SCHEMA %I FROM %I', rolname, n.nspname, n.nspname, rolname)
        FROM pg_namespace n, aclexplode(n.nspacl) a JOIN acting ON oid = a.grantee
        WHERE \(Catalogue.ours) AND (is_login OR context IS DISTINCT FROM split_part(n.nspname, '__', 1))
        ORDER BY 1
        """

    private static let foreignFunctions: SQL = """
        WITH \(Catalogue.acting)
        SELECT format('role %I may call %s, which is not its context''s; run: REVOKE EXECUTE ON FUNCTION %s FROM %I',
            rolname, p.oid::regprocedure, p.oid::regprocedure, rolname)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) a JOIN acting ON oid = a.grantee
        WHERE \(Catalogue.ours) AND (is_login OR context IS DISTINCT FROM split_part(n.nspname, '__', 1))
            AND NOT (p.oid = to_regproc('platform.enter') AND NOT is_login)
        ORDER BY 1
        """

    private static let making: SQL = """
        WITH \(Catalogue.acting), made AS (
            SELECT grantee, privilege_type, format('DATABASE %I', datname) AS place
            FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE datname = current_database()
            UNION ALL SELECT a.grantee, a.privilege_type, format('SCHEMA %I', n.nspname)
            FROM pg_namespace n, aclexplode(n.nspacl) a WHERE \(Catalogue.ours) OR n.nspname = 'atrium_migrations')
        SELECT DISTINCT format('%s may make objects in the %s; run: REVOKE %s ON %s FROM %s',
            CASE WHEN grantee = 0 THEN 'everyone' ELSE 'role ' || grantee::regrole END, lower(place), privilege_type, place,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
        FROM made
        WHERE privilege_type IN ('CREATE', 'TEMPORARY') AND (grantee = 0 OR grantee IN (SELECT oid FROM acting))
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        ORDER BY 1
        """

    private static let keys: SQL = """
        SELECT DISTINCT format('%s may read or change platform.context_keys, and so sign for any tenant; run: \
        REVOKE ALL ON platform.context_keys FROM %s',
            CASE WHEN grantee = 0 THEN 'everyone' ELSE 'role ' || grantee::regrole END,
            CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE grantee::regrole::text END)
        FROM (
            SELECT a.grantee, c.relowner FROM pg_class c, aclexplode(c.relacl) a
            WHERE c.oid = to_regclass('platform.context_keys')
            UNION ALL SELECT a.grantee, c.relowner
            FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid, aclexplode(t.attacl) a
            WHERE c.oid = to_regclass('platform.context_keys')) AS found
        WHERE grantee <> relowner
        ORDER BY 1
        """
}
