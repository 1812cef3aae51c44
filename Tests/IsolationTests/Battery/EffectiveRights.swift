import Foundation
import Postgres
import TestSupport

/// What the program's roles may really do, however they came by it; one line for each role and thing.
struct EffectiveRights: Sendable {
    /// Lines of the base schemas, and of everything that is no schema's.
    let base: Set<String>
    /// The same of each schema that a tenant has to itself, in the words of the base schema.
    let own: [String: Set<String>]

    init(on connection: PostgresConnection) async throws {
        var base: Set<String> = []
        var own: [String: Set<String>] = [:]
        let results = try await connection.flight(
            [Self.relations, Self.functions, Self.schemas, Self.whole].map { Statement($0, prepare: false) })
        for row in results.joined() {
            let (schema, line) = try row.decode((String?, String).self)
            if let schema, schema.contains("__") {
                own[schema, default: []].insert(line.replacing(schema, with: schema.prefix { $0 != "_" }))
            } else {
                base.insert(line)
            }
        }
        (self.base, self.own) = (base, own)
    }

    /// Everyone whom requests are served as.
    private static let roles: SQL = "pg_roles r ON \(isOurs)"
    private static let isOurs: SQL = """
        (r.rolname ~ '^(atrium|control|identity|orders|billing|metering)_' AND r.rolname <> 'atrium_owner')
        """

    private static let relations: SQL = """
        SELECT n.nspname::text, format('%I.%I %s: %s', n.nspname, c.relname, r.rolname, string_agg(
            CASE WHEN has_table_privilege(r.oid, c.oid, p.name) THEN p.name ELSE p.name || ' (' || x.columns || ')' END,
            ', ' ORDER BY p.name))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours) JOIN \(roles)
        CROSS JOIN (VALUES ('SELECT', 'SELECT'), ('INSERT', 'INSERT'), ('UPDATE', 'UPDATE'), ('REFERENCES', 'REFERENCES'),
            ('DELETE', NULL), ('TRUNCATE', NULL), ('TRIGGER', NULL)) AS p (name, of_column)
        LEFT JOIN LATERAL (SELECT string_agg(a.attname, ', ' ORDER BY a.attname) AS columns FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND p.of_column IS NOT NULL
                AND has_column_privilege(r.oid, c.oid, a.attnum, coalesce(p.of_column, 'SELECT'))) x ON true
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND (has_table_privilege(r.oid, c.oid, p.name) OR x.columns IS NOT NULL)
        GROUP BY n.nspname, c.relname, r.rolname
        UNION ALL
        SELECT n.nspname::text, format('%I.%I %s: sequence', n.nspname, c.relname, r.rolname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours) JOIN \(roles)
        WHERE c.relkind = 'S' AND has_sequence_privilege(r.oid, c.oid, 'SELECT, USAGE, UPDATE')
        """

    private static let functions: SQL = """
        SELECT n.nspname::text, format('%I.%I() %s: EXECUTE', n.nspname, p.proname,
            CASE WHEN count(*) = (SELECT count(*) FROM pg_roles r WHERE \(isOurs)) THEN 'everybody'
            ELSE string_agg(r.rolname, ', ' ORDER BY r.rolname) END)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND \(Catalogue.ours) JOIN \(roles)
        WHERE has_function_privilege(r.oid, p.oid, 'EXECUTE') GROUP BY p.oid, n.nspname, p.proname
        """

    private static let schemas: SQL = """
        SELECT n.nspname::text, format('schema %I %s: %s', n.nspname, r.rolname, string_agg(p, ', ' ORDER BY p))
        FROM pg_namespace n JOIN \(roles) CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS p
        WHERE \(Catalogue.ours) AND n.nspname <> 'public' AND has_schema_privilege(r.oid, n.oid, p) OR n.nspname = 'public' \
        AND p = 'CREATE' AND has_schema_privilege(r.oid, n.oid, p)
        GROUP BY n.nspname, r.rolname
        """

    private static let whole: SQL = """
        SELECT NULL::text, format('role %s:%s', r.rolname, concat(
            CASE WHEN r.rolsuper THEN ' SUPERUSER' END, CASE WHEN r.rolinherit THEN ' INHERIT' END,
            CASE WHEN r.rolcreaterole THEN ' CREATEROLE' END, CASE WHEN r.rolcreatedb THEN ' CREATEDB' END,
            CASE WHEN r.rolbypassrls THEN ' BYPASSRLS' END, CASE WHEN r.rolreplication THEN ' REPLICATION' END,
            CASE WHEN r.rolcanlogin THEN ' LOGIN' END))
        FROM pg_roles r WHERE r.rolname ~ '^(atrium|control|identity|orders|billing|metering)_'
        UNION ALL
        SELECT NULL, format('role %s: member of %s', m.member::regrole, m.roleid::regrole) FROM pg_auth_members m
        WHERE m.member::regrole::text ~ '^(atrium|control|identity|orders|billing|metering)_'
        UNION ALL
        SELECT NULL, format('language %s: %s', l.lanname, r.rolname)
        FROM pg_language l JOIN \(roles)
        WHERE l.lanpltrusted AND l.lanispl AND has_language_privilege(r.oid, l.oid, 'USAGE')
        UNION ALL
        SELECT NULL, format('parameter %s: %s', a.parname, coalesce(e.grantee::regrole::text, 'everybody'))
        FROM pg_parameter_acl a, aclexplode(a.paracl) e
        WHERE e.grantee <> (SELECT oid FROM pg_roles WHERE rolsuper ORDER BY oid LIMIT 1)
        UNION ALL
        SELECT NULL, format('database %s: %s', r.rolname, p) FROM pg_roles r
        CROSS JOIN unnest(ARRAY['CREATE', 'TEMPORARY']) AS p WHERE \(isOurs) AND has_database_privilege(r.oid, current_database(), p)
        UNION ALL
        SELECT NULL, format('closed: %s', p.oid::regprocedure) FROM pg_proc p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace AND NOT has_function_privilege('orders_app', p.oid, 'EXECUTE')
        """
}

/// The rights that somebody has looked at and found right, in `Tests/IsolationTests/Approved/rights.txt`.
struct ApprovedRights {
    private let lines: Set<String>
    static let place = "Tests/IsolationTests/Approved/rights.txt"

    init() throws {
        let text = try String(contentsOf: Places.packageRoot.appending(path: Self.place), encoding: .utf8)
        lines = Set(text.split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") })
    }

    /// What is not as approved, or `nil`.
    func difference(from found: EffectiveRights) -> String? {
        // One function more that nobody may call is no harm.
        var wrong = found.base.subtracting(lines).filter { !$0.hasPrefix("closed:") }.map { "not approved: \($0)" }
        wrong += lines.subtracting(found.base).map { "missing: \($0)" }
        for (schema, own) in found.own {
            // What is shared by all schemas of a context has no copy in a tenant's own.
            let things = Set(own.map(Self.thing))
            let expected = lines.filter {
                things.contains(Self.thing($0)) && !$0.contains("_worker: USAGE")
                    && !$0.contains("control_plane: USAGE")
            }
            wrong += own.subtracting(expected).map { "not approved in \(schema): \($0)" }
            wrong += expected.subtracting(own).map { "missing in \(schema): \($0)" }
        }
        return wrong.isEmpty ? nil : wrong.sorted().joined(separator: "\n") + "\nSee \(Self.place)."
    }

    private static func thing(_ line: String) -> String {
        let words = line.split(separator: " ")
        return words.first == "schema" ? words.prefix(2).joined(separator: " ") : String(words.first ?? "")
    }
}
