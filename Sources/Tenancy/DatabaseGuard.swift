package import Postgres

/// Looks, before the server serves, whether the database really holds the fences that the code relies on.
package struct DatabaseGuard: Sendable {
    private let pool: PostgresPool
    private let files: MigrationFiles

    package init(pool: PostgresPool, files: MigrationFiles) {
        self.pool = pool
        self.files = files
    }

    /// Every finding says what is wrong and what mends it; none means that the server may start.
    package func findings() async throws -> [String] {
        try await pool.withConnection { connection in
            let results = try await connection.flight(
                [Self.login, Self.ownership, Self.memberships, Self.grants, Self.tables, Self.migrationsTable]
                    .map { Statement($0, prepare: false) },
                deadline: .now + .seconds(10))
            var findings: [String] = []
            for rows in results.prefix(5) {
                for row in rows { findings.append(try row.decode(String.self)) }
            }
            guard try results[5].first?.decode(Bool.self) == true else {
                return findings + ["the database has never been migrated; run `atrium migrate`"]
            }
            let applied = try await connection.flight(
                [Statement("SELECT schema_name, number, checksum FROM atrium_migrations.applied", prepare: false)],
                deadline: .now + .seconds(10))[0]
            return findings + migrations(try applied.map { try $0.decode((String, Int32, String).self) })
        }
    }

    private func migrations(_ applied: [(String, Int32, String)]) -> [String] {
        var findings: [String] = []
        for file in files.files {
            let name = "\(file.scope)/\(file.name)"
            guard let found = applied.first(where: { $0.0 == file.scope && Int($0.1) == file.number }) else {
                findings.append("migration \(name) has not been applied; run `atrium migrate`")
                continue
            }
            if found.2 != file.checksum { findings.append(MigrationError.changed(name).description) }
        }
        for (context, number, _) in applied
        where !files.files.contains(where: { $0.scope == context && $0.number == Int(number) }) {
            findings.append(MigrationError.unknown("\(context)/\(number)").description)
        }
        return findings
    }

    private static let ours: SQL = """
        n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'atrium_migrations') \
        AND n.nspname NOT LIKE 'pg_temp%' AND n.nspname NOT LIKE 'pg_toast_temp%'
        """

    private static let login: SQL = """
        SELECT format('login role %I is %s; log in as a role without that right', rolname, attribute)
        FROM pg_roles, LATERAL (VALUES ('a superuser', rolsuper), ('BYPASSRLS', rolbypassrls),
            ('CREATEROLE', rolcreaterole), ('INHERIT, so it has its roles'' rights at all times', rolinherit))
            AS a (attribute, holds)
        WHERE rolname = session_user AND holds
        """

    private static let ownership: SQL = """
        SELECT format('login role %I owns %I.%I; give it to atrium_owner', session_user, n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relowner = (SELECT oid FROM pg_roles WHERE rolname = session_user) AND \(ours)
        ORDER BY 1
        """

    private static let memberships: SQL = """
        SELECT format('login role %I may become %I, which %s; revoke that membership', session_user, r.rolname,
            CASE WHEN r.rolsuper THEN 'is a superuser' WHEN r.rolbypassrls THEN 'has BYPASSRLS' ELSE 'owns tables' END)
        FROM pg_roles r
        WHERE r.rolname <> session_user AND pg_has_role(session_user, r.oid, 'MEMBER')
            AND (r.rolsuper OR r.rolbypassrls OR r.rolname = 'atrium_owner' OR EXISTS (
                SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.relowner = r.oid AND \(ours)))
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
        ORDER BY 1
        """

    private static let grants: SQL = """
        SELECT format('login role %I has rights of its own on %I.%I; revoke them', session_user, n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND \(ours)
            AND NOT (SELECT rolsuper FROM pg_roles WHERE rolname = session_user)
            AND c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = session_user)
            AND EXISTS (
                SELECT FROM aclexplode(c.relacl) a
                WHERE a.grantee IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user)))
        ORDER BY 1
        """

    private static let tables: SQL = """
        SELECT format('tenant table %I.%I %s; see platform.protect', n.nspname, c.relname, problem)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped,
        LATERAL (VALUES
            ('has row security switched off', NOT c.relrowsecurity),
            ('does not force row security on its owner', NOT c.relforcerowsecurity),
            ('has a policy that is not bound to the tenant', EXISTS (
                SELECT FROM pg_policy p WHERE p.polrelid = c.oid
                    AND NOT (p.polroles <> '{0}' AND (SELECT bool_and(r.rolname ~ '_worker$' OR r.rolname = 'control_plane')
                        FROM pg_roles r WHERE r.oid = ANY (p.polroles)))
                    AND (pg_get_expr(p.polqual, c.oid) IS DISTINCT FROM \(bound)
                        OR pg_get_expr(p.polwithcheck, c.oid) IS DISTINCT FROM \(bound))))
        ) AS found (problem, holds)
        WHERE c.relkind IN ('r', 'p') AND \(ours) AND holds
        ORDER BY 1
        """

    /// The tenant's policy as PostgreSQL spells it.
    private static let bound: SQL = "'(tenant_id = ( SELECT platform.tenant_id() AS tenant_id))'"

    private static let migrationsTable: SQL = "SELECT to_regclass('atrium_migrations.applied') IS NOT NULL"
}
