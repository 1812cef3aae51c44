import Postgres

/// One fence taken down.
struct Mutant: Sendable {
    let name: String
    /// The table whose checks are likely to notice, so that they come first.
    let table: String?
    let change: [SQL]

    init(_ name: String, _ table: String? = nil, _ change: SQL...) {
        self.name = name
        self.table = table
        self.change = change
    }
}

/// Every fence that the catalogue knows of, taken down one at a time.
struct Mutants: Sendable {
    let all: [Mutant]

    init(_ catalogue: Catalogue, on connection: PostgresConnection) async throws {
        let policies = try await Self.made(from: Self.policies, connection)
        let grants = try await Self.made(from: Self.grants, connection)
        let closed = try await Self.made(from: Self.closed, connection)
        let roles = try await Self.made(from: Self.roles, connection)
        let functions = try await Self.made(from: Self.functions, connection)
        let unfenced = catalogue.shared.filter { $0.name != "platform.context_keys" }.map {
            Mutant(
                "DISABLE ROW LEVEL SECURITY on \($0.name), for \($0.rights.role)", $0.name,
                "ALTER TABLE \(unsafeSQL: $0.name) DISABLE ROW LEVEL SECURITY")
        }
        all =
            unfenced + policies + catalogue.tables.flatMap(Self.fences) + catalogue.tables.flatMap(Self.keys) + grants
            + closed
            + roles + functions
    }

    /// Queries for name, table and statement.
    private static func made(from query: SQL, _ connection: PostgresConnection) async throws -> [Mutant] {
        try await connection.flight([Statement(query, prepare: false)])[0].map { row in
            let (name, table, change) = try row.decode((String, String?, String).self)
            return Mutant(name, table, SQL(unsafeSQL: change))
        }
    }

    private static func fences(_ table: TenantTable) -> [Mutant] {
        let name: SQL = "\(unsafeSQL: table.name)"
        var found = [
            Mutant(
                "DISABLE ROW LEVEL SECURITY on \(table.name)", table.name,
                "ALTER TABLE \(name) DISABLE ROW LEVEL SECURITY"),
            Mutant(
                "NO FORCE ROW LEVEL SECURITY on \(table.name)", table.name,
                "ALTER TABLE \(name) NO FORCE ROW LEVEL SECURITY"),
            Mutant(
                "one more policy USING (true) on \(table.name)", table.name,
                "CREATE POLICY further ON \(name) USING (true)"),
        ]
        if table.isOwn {
            found.append(
                Mutant(
                    "no own_tenant on \(table.name)", table.name, "ALTER TABLE \(name) DROP CONSTRAINT own_tenant"))
        }
        for rights in table.roles where rights.isOfOneTenant && rights.selects {
            found.append(
                Mutant(
                    "a view of \(table.name) that runs as its owner", nil,
                    "CREATE VIEW \(identifier: table.schema).seen AS SELECT * FROM \(name)",
                    "GRANT SELECT ON \(identifier: table.schema).seen TO \(identifier: rights.role)"))
        }
        return found
    }

    private static func keys(_ table: TenantTable) -> [Mutant] {
        func list(_ columns: [String]) -> String { columns.map { "\"\($0)\"" }.joined(separator: ", ") }
        var found: [Mutant] = []
        for key in table.keys where key.columns.contains("tenant_id") && key.columns.count > 1 {
            let rest = list(key.columns.filter { $0 != "tenant_id" })
            // Beside the key, which foreign keys may need: what it refuses now is what it would refuse without the tenant.
            found.append(
                Mutant(
                    "\(key.name) of \(table.name) without tenant_id", table.name,
                    "CREATE UNIQUE INDEX narrower ON \(unsafeSQL: table.name) (\(unsafeSQL: rest))"))
        }
        for reference in table.references where reference.columns.contains("tenant_id") && reference.columns.count > 1 {
            let pairs = zip(reference.columns, reference.parentColumns).filter { $0.0 != "tenant_id" }
            let (columns, parents) = (list(pairs.map(\.0)), list(pairs.map(\.1)))
            found.append(
                Mutant(
                    "\(reference.name) of \(table.name) without tenant_id", table.name,
                    "CREATE UNIQUE INDEX narrower ON \(unsafeSQL: reference.parent) (\(unsafeSQL: parents))",
                    "ALTER TABLE \(unsafeSQL: table.name) DROP CONSTRAINT \(identifier: reference.name)",
                    """
                    ALTER TABLE \(unsafeSQL: table.name) ADD CONSTRAINT \(identifier: reference.name)
                    FOREIGN KEY (\(unsafeSQL: columns)) REFERENCES \(unsafeSQL: reference.parent) (\(unsafeSQL: parents))
                    """))
        }
        return found
    }

    private static let policies: SQL = """
        SELECT format(m.name, p.polname, p.polrelid::regclass), format('%I.%I', n.nspname, c.relname),
            format(m.change, p.polname, p.polrelid::regclass)
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
            (VALUES ('DROP POLICY %s on %s', 'DROP POLICY %I ON %s'),
                ('policy %s on %s USING (true)', 'ALTER POLICY %I ON %s USING (true)'),
                ('policy %s on %s WITH CHECK (true)', 'ALTER POLICY %I ON %s WITH CHECK (true)')) AS m (name, change)
        ORDER BY 1
        """

    /// Each right that a role lacks on what it can reach, and each schema that it can't reach at all.
    private static let grants: SQL = """
        WITH role AS (SELECT r.oid, r.rolname FROM pg_roles r
            WHERE r.rolname <> 'atrium_owner' AND NOT r.rolsuper AND pg_has_role('atrium_app', r.oid, 'MEMBER'))
        SELECT format('GRANT %s ON %s TO %s', p, c.oid::regclass, r.rolname), NULL::text,
            format('GRANT %s ON %s TO %I', p, c.oid::regclass, r.rolname)
        FROM role r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours),
            unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p
        WHERE c.relkind IN ('r', 'p') AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND r.rolname <> 'atrium_app'
            AND NOT has_table_privilege(r.oid, c.oid, p)
        UNION ALL
        SELECT format('GRANT ALL ON SCHEMA %s AND ITS TABLES TO %s', n.nspname, r.rolname), NULL,
            format('GRANT USAGE ON SCHEMA %1$I TO %2$I', n.nspname, r.rolname) 
        FROM role r, pg_namespace n WHERE \(Catalogue.ours) AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
        UNION ALL
        SELECT format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s', n.nspname, r.rolname), NULL,
            format('GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO %2$I', n.nspname, r.rolname)
        FROM role r, pg_namespace n WHERE \(Catalogue.ours) AND NOT has_schema_privilege(r.oid, n.oid, 'USAGE')
            AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r')
        UNION ALL
        SELECT format('GRANT CREATE ON SCHEMA %s TO PUBLIC', n.nspname), NULL,
            format('GRANT CREATE ON SCHEMA %I TO PUBLIC', n.nspname)
        FROM pg_namespace n WHERE \(Catalogue.ours)
        UNION ALL
        SELECT format('GRANT %s ON DATABASE TO PUBLIC', p), NULL,
            format('GRANT %s ON DATABASE %I TO PUBLIC', p, current_database())
        FROM unnest(ARRAY['TEMPORARY', 'CREATE']) AS p
        ORDER BY 1
        """

    /// What nobody may call, use or set.
    private static let closed: SQL = """
        SELECT format('GRANT EXECUTE ON %s TO PUBLIC', p.oid::regprocedure), NULL::text,
            format('GRANT EXECUTE ON ROUTINE %s TO PUBLIC', p.oid::regprocedure)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE (n.nspname = 'pg_catalog' OR \(Catalogue.ours)) AND p.prokind IN ('f', 'p') AND NOT EXISTS (
            SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
        UNION ALL
        SELECT format('GRANT USAGE ON LANGUAGE %s TO PUBLIC', l.lanname), NULL,
            format('GRANT USAGE ON LANGUAGE %I TO PUBLIC', l.lanname)
        FROM pg_language l WHERE l.lanispl AND l.lanpltrusted
        UNION ALL
        SELECT format('GRANT SET ON PARAMETER %s TO PUBLIC', a.parname), NULL,
            format('GRANT SET ON PARAMETER %s TO PUBLIC', a.parname)
        FROM pg_parameter_acl a
        ORDER BY 1
        """

    private static let roles: SQL = """
        WITH role AS (SELECT r.oid, r.rolname FROM pg_roles r
            WHERE NOT r.rolsuper AND (pg_has_role('atrium_app', r.oid, 'MEMBER') OR r.rolname = 'atrium_provisioner'))
        SELECT format('ALTER ROLE %s %s', r.rolname, p), NULL::text, format('ALTER ROLE %I %s', r.rolname, p)
        FROM role r, unnest(ARRAY['SUPERUSER', 'BYPASSRLS', 'INHERIT', 'CREATEROLE', 'REPLICATION']) AS p
        UNION ALL
        SELECT format('GRANT %s TO %s', o.rolname, r.rolname), NULL, format('GRANT %I TO %I', o.rolname, r.rolname)
        FROM role r, pg_roles o
        WHERE (o.rolname = 'atrium_owner' OR o.rolname IN (SELECT rolname FROM role WHERE rolname <> 'atrium_app')
                OR o.rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_read_all_stats', 'pg_signal_backend',
                    'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
            AND NOT pg_has_role(r.oid, o.oid, 'MEMBER') AND NOT pg_has_role(o.oid, r.oid, 'MEMBER')
        ORDER BY 1
        """

    /// The functions that decide, each without one of the things that it decides by.
    private static let functions: SQL = """
        SELECT m.name, NULL::text, CASE WHEN m.new IS NULL THEN m.old ELSE
            replace(pg_get_functiondef('platform.enter'::regproc), m.old, m.new) END
        FROM (VALUES
            ('platform.enter without its check of the signature', '= mac)', '= mac OR true)'),
            ('platform.enter without the expiry of signatures', 'IF valid_until <> 0 AND', 'IF false AND'),
            ('platform.enter with any key', 'sha256(k.outer_key || sha256(k.inner_key || message)) = mac', 'mac IS NOT NULL'),
            ('platform.tenant_id without its check of the role',
                'CREATE OR REPLACE FUNCTION platform.tenant_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
                RETURN nullif(split_part(current_setting(''backtrace_functions''), '','', 1), '''')::uuid', NULL),
            ('platform.is_entered without its check of the role',
                'CREATE OR REPLACE FUNCTION platform.is_entered() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
                RETURN current_setting(''backtrace_functions'') <> ''''', NULL),
            ('platform.is_entered that is always true',
                'CREATE OR REPLACE FUNCTION platform.is_entered() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
                RETURN true', NULL)) AS m (name, old, new)
        """
}
