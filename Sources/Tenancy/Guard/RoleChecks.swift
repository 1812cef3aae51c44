import Postgres

/// What the login is and what it may become.
enum RoleChecks {
    static let all: [SQL] = [login, memberships, attributes, parameter, parameterDefaults]

    private static let login: SQL = """
        SELECT format('login role %I is %s; log in as a role without that right', rolname, attribute)
        FROM pg_roles, LATERAL (VALUES ('a superuser', rolsuper), ('BYPASSRLS', rolbypassrls),
            ('CREATEROLE', rolcreaterole), ('CREATEDB', rolcreatedb), ('REPLICATION', rolreplication),
            ('INHERIT, so it has its roles'' rights at all times', rolinherit)) AS a (attribute, holds)
        WHERE rolname = session_user AND holds
        """

    private static let memberships: SQL = """
        SELECT format('login role %I may become %I, which %s; revoke that membership', session_user, r.rolname,
            CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolbypassrls THEN 'has BYPASSRLS'
                WHEN r.rolname LIKE 'pg\\_%' THEN 'has rights on the whole server' ELSE 'owns tables' END)
        FROM pg_roles r
        WHERE r.rolname <> session_user AND pg_has_role(session_user, r.oid, 'MEMBER')
            AND (r.rolsuper OR r.rolbypassrls OR r.rolname = 'atrium_owner' OR r.rolname LIKE 'pg\\_%' OR EXISTS (
                SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relowner = r.oid AND \(Catalogue.ours)))
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        ORDER BY 1
        """

    private static let attributes: SQL = """
        WITH \(Catalogue.acting)
        SELECT format('role %I is %s; run: ALTER ROLE %I NO%s', rolname, attribute, rolname, attribute)
        FROM acting JOIN pg_roles r USING (oid, rolname), LATERAL (VALUES ('CREATEROLE', r.rolcreaterole),
            ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication), ('LOGIN', r.rolcanlogin))
            AS a (attribute, holds)
        WHERE NOT is_login AND holds
        ORDER BY 1
        """

    /// Whoever may set it chooses the tenant: see platform.enter.
    private static let parameter: SQL = """
        WITH \(Catalogue.acting)
        SELECT format('role %I may set backtrace_functions, where the tenant of a transaction is kept; run: \
        REVOKE SET ON PARAMETER backtrace_functions FROM %s', rolname, rolname)
        FROM acting
        WHERE has_parameter_privilege(oid, 'backtrace_functions', 'SET')
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        ORDER BY 1
        """

    private static let parameterDefaults: SQL = """
        SELECT format('backtrace_functions, where the tenant of a transaction is kept, is preset%s%s; take it back with \
        ALTER … RESET backtrace_functions',
            CASE WHEN setdatabase <> 0 THEN ' in the database ' || current_database() END,
            CASE WHEN setrole <> 0 THEN ' for the role ' || setrole::regrole END)
        FROM pg_db_role_setting, unnest(setconfig) AS setting
        WHERE setting LIKE 'backtrace_functions=%'
            AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ORDER BY 1
        """
}
