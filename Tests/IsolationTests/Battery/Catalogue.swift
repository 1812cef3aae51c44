import Postgres

/// What the database says of the tables that hold tenants' data: everything here is found, nothing is listed.
struct Catalogue: Sendable {
    let tables: [TenantTable]
    /// Tables that are no tenant's, and the roles with rights on them.
    let shared: [(name: String, rights: TenantTable.Rights)]

    init(on connection: PostgresConnection) async throws {
        let results = try await connection.flight(
            [Self.tables, Self.columns, Self.uniqueKeys, Self.foreignKeys, Self.rights, Self.sharedRights].map {
                Statement($0, prepare: false)
            })
        var tables: [String: TenantTable] = [:]
        for row in results[0] {
            let (name, schema, table, context) = try row.decode((String, String, String, String).self)
            tables[name] = TenantTable(name: name, schema: schema, table: table, context: context)
        }
        for row in results[1] {
            let (name, column, type, required) = try row.decode((String, String, String, Bool).self)
            tables[name]?.columns.append(TenantTable.Column(name: column, type: type, isRequired: required))
        }
        for row in results[2] {
            let (name, key, columns) = try row.decode((String, String, [String]).self)
            tables[name]?.keys.append(TenantTable.Key(name: key, columns: columns))
        }
        for row in results[3] {
            let (name, key, columns, parent, parentColumns) = try row.decode(
                (String, String, [String], String, [String]).self)
            tables[name]?.references.append(
                TenantTable.Reference(name: key, columns: columns, parent: parent, parentColumns: parentColumns))
        }
        for row in results[4] {
            let (name, role, selects, inserts, deletes, updatable) = try row.decode(
                (String, String, Bool, Bool, Bool, String?).self)
            tables[name]?.roles.append(
                TenantTable.Rights(
                    role: role, selects: selects, inserts: inserts, deletes: deletes, updatable: updatable))
        }
        shared = try results[5].map { row in
            let (name, role, selects, inserts, deletes, updatable) = try row.decode(
                (String, String, Bool, Bool, Bool, String?).self)
            return (
                name,
                TenantTable.Rights(
                    role: role, selects: selects, inserts: inserts, deletes: deletes, updatable: updatable)
            )
        }
        self.tables = Self.parentsFirst(Array(tables.values))
    }

    func table(_ name: String) -> TenantTable? { tables.first { $0.name == name } }

    private static func parentsFirst(_ tables: [TenantTable]) -> [TenantTable] {
        var left = tables.sorted { $0.name < $1.name }
        var ordered: [TenantTable] = []
        while let next = left.firstIndex(where: { table in
            table.references.allSatisfy { reference in !left.contains { $0.name == reference.parent } }
        }) {
            ordered.append(left.remove(at: next))
        }
        return ordered + left
    }

    /// Every schema but PostgreSQL's own.
    static let ours: SQL = "n.nspname !~ '^(pg_|information_schema$)'"

    private static let tenantTables: SQL = """
        pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND \(ours) JOIN pg_attribute t \
        ON t.attrelid = c.oid AND t.attname = 'tenant_id' AND NOT t.attisdropped AND c.relkind IN ('r', 'p') \
        AND NOT c.relispartition
        """

    private static let name: SQL = "format('%I.%I', n.nspname, c.relname)"

    private static let tables: SQL = """
        SELECT \(name), n.nspname::text, c.relname::text, split_part(n.nspname, '__', 1) FROM \(tenantTables)
        """

    private static let columns: SQL = """
        SELECT \(name), a.attname::text, format_type(a.atttypid, NULL),
            a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
        FROM \(tenantTables) JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY c.oid, a.attnum
        """

    private static let uniqueKeys: SQL = """
        SELECT \(name), i.relname::text, array_agg(k.attname::text ORDER BY p.place)
        FROM \(tenantTables) JOIN pg_index x ON x.indrelid = c.oid AND x.indisunique
        JOIN pg_class i ON i.oid = x.indexrelid, unnest(x.indkey::int2[]) WITH ORDINALITY AS p (number, place)
        JOIN pg_attribute k ON k.attnum = p.number WHERE k.attrelid = c.oid GROUP BY 1, 2 ORDER BY 1, 2
        """

    private static let foreignKeys: SQL = """
        SELECT \(name), f.conname::text,
            (SELECT array_agg(a.attname::text ORDER BY p.place) FROM unnest(f.conkey) WITH ORDINALITY AS p (number, place)
                JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = p.number),
            (SELECT format('%I.%I', pn.nspname, pc.relname) FROM pg_class pc JOIN pg_namespace pn
                ON pn.oid = pc.relnamespace WHERE pc.oid = f.confrelid),
            (SELECT array_agg(a.attname::text ORDER BY p.place) FROM unnest(f.confkey) WITH ORDINALITY AS p (number, place)
                JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = p.number)
        FROM \(tenantTables) JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f'
        WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = f.confrelid AND a.attname = 'tenant_id')
        ORDER BY 1, 2
        """

    private static let rights = rights(on: tenantTables)

    private static let sharedRights = rights(on: sharedTables)

    private static let sharedTables: SQL = """
        pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND \(ours) AND n.nspname <> 'atrium_migrations' \
        AND c.relkind IN ('r', 'p') AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
        """

    private static func rights(on tables: SQL) -> SQL {
        """
        SELECT \(name), r.rolname::text, has_table_privilege(r.oid, c.oid, 'SELECT'),
            has_table_privilege(r.oid, c.oid, 'INSERT'), has_table_privilege(r.oid, c.oid, 'DELETE'),
            (SELECT min(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
                AND NOT a.attisdropped AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE'))
        FROM \(tables) JOIN pg_roles r ON r.rolname <> 'atrium_app' AND pg_has_role('atrium_app', r.oid, 'MEMBER')
        WHERE has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, DELETE')
            OR has_any_column_privilege(r.oid, c.oid, 'UPDATE')
        ORDER BY 1, 2
        """
    }
}

/// A table that has a column `tenant_id`.
struct TenantTable: Sendable {
    struct Column: Sendable {
        let name: String
        let type: String
        let isRequired: Bool
    }

    struct Key: Sendable {
        let name: String
        let columns: [String]
    }

    /// A foreign key to another tenant table.
    struct Reference: Sendable {
        let name: String
        let columns: [String]
        let parent: String
        let parentColumns: [String]
    }

    struct Rights: Sendable {
        let role: String
        let selects: Bool
        let inserts: Bool
        let deletes: Bool
        /// A column that it may update, where there is one.
        let updatable: String?

        /// Whether the role is one that serves a single tenant at a time.
        var isOfOneTenant: Bool { role.hasSuffix("_app") }
    }

    let name: String
    let schema: String
    let table: String
    let context: String
    var columns: [Column] = []
    var keys: [Key] = []
    var references: [Reference] = []
    var roles: [Rights] = []

    /// Whether it is in a schema that one tenant has to itself.
    var isOwn: Bool { schema.contains("__") }

    /// The same table in any schema of its context.
    var kind: String { "\(context).\(table)" }
}
