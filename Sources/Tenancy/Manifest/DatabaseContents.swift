import Postgres

/// Everything in one database that can hold data, as its catalogue has it; no right on any of it is needed to look.
struct DatabaseContents: Sendable {
    struct Relation: Sendable {
        let schema: String
        let name: String
        let kind: Kind
        let columns: [String]
        /// Whether there is a column `tenant_id uuid NOT NULL`.
        let hasTenant: Bool
        let isSecured: Bool
        let isForced: Bool
        /// Whether a policy for everybody keeps to the tenant of the transaction.
        let isBound: Bool
        /// Policies that let others than workers and the control plane see rows of more than one tenant.
        let openPolicies: [String]
        /// Whether a constraint lets a schema of one tenant's own take that tenant's rows alone.
        let isKeptToOwner: Bool
        /// Who has some right on it or on a column of it, `PUBLIC` included.
        let grantees: [String]

        var fullName: String { "\(schema).\(name)" }
    }

    /// As `pg_class.relkind` has it.
    enum Kind: String, Sendable {
        case table = "r"
        case partitioned = "p"
        case view = "v"
        case materialized = "m"
        case foreign = "f"
        case sequence = "S"

        var noun: String {
            switch self {
            case .table: "table"
            case .partitioned: "partitioned table"
            case .view: "view"
            case .materialized: "materialized view"
            case .foreign: "foreign table"
            case .sequence: "sequence"
            }
        }
    }

    let relations: [Relation]
    let largeObjects: Int

    static func read(on connection: PostgresConnection, deadline: ContinuousClock.Instant) async throws
        -> DatabaseContents
    {
        let results = try await connection.run(
            ["BEGIN READ ONLY", Self.question, "SELECT count(*) FROM pg_largeobject_metadata", "COMMIT"],
            deadline: deadline)
        return DatabaseContents(
            relations: try results[1].compactMap(Self.relation), largeObjects: try results[2][0].decode(Int.self))
    }

    private static func relation(_ row: Row) throws -> Relation? {
        let (schema, name, kind, columns, hasTenant, isSecured, isForced, isBound, open, isKept, grantees) =
            try row.decode(
                (String, String, String, [String], Bool, Bool, Bool, Bool, [String], Bool, [String]).self)
        return Kind(rawValue: kind).map {
            Relation(
                schema: schema, name: name, kind: $0, columns: columns, hasTenant: hasTenant, isSecured: isSecured,
                isForced: isForced, isBound: isBound, openPolicies: open, isKeptToOwner: isKept,
                grantees: grantees)
        }
    }

    /// The tenant's policy as PostgreSQL spells it.
    private static let bound: SQL = "'(tenant_id = ( SELECT platform.tenant_id() AS tenant_id))'"

    private static let isBound: SQL = """
        pg_get_expr(p.polqual, c.oid) IS NOT DISTINCT FROM \(bound) \
        AND pg_get_expr(p.polwithcheck, c.oid) IS NOT DISTINCT FROM \(bound)
        """

    // A sequence behind a column's numbers holds none but those; temporary tables end with their session. A partition that
    // nobody gets at but through its table is part of that.
    private static let question: SQL = """
        SELECT n.nspname::text, c.relname::text, c.relkind::text,
            ARRAY(
                SELECT a.attname::text FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
            EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.atttypid = 'uuid'::regtype AND a.attnotnull),
            c.relrowsecurity, c.relforcerowsecurity,
            EXISTS (
                SELECT FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}' AND \(isBound)),
            ARRAY(
                SELECT p.polname::text FROM pg_policy p
                WHERE p.polrelid = c.oid AND p.polpermissive AND NOT (\(isBound))
                    AND EXISTS (
                        SELECT FROM unnest(p.polroles) AS polrole LEFT JOIN pg_roles r ON r.oid = polrole
                        WHERE r.rolname IS NULL OR r.rolname !~ '_worker$' AND r.rolname <> 'control_plane')
                ORDER BY 1),
            EXISTS (
                SELECT FROM pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
                    AND pg_get_expr(k.conbin, c.oid) = format(
                        '(tenant_id = %L::uuid)', substring(n.nspname FROM '__t([0-9a-f]{32})$')::uuid)),
            ARRAY(
                SELECT DISTINCT coalesce(r.rolname::text, 'PUBLIC')
                FROM (
                    SELECT (aclexplode(c.relacl)).grantee
                    UNION ALL
                    SELECT (aclexplode(a.attacl)).grantee FROM pg_attribute a
                    WHERE a.attrelid = c.oid AND NOT a.attisdropped
                ) AS given LEFT JOIN pg_roles r ON r.oid = given.grantee
                ORDER BY 1)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
            AND n.nspname !~ '^pg_(toast_)?temp_'
            AND NOT (c.relispartition AND c.relrowsecurity AND c.relforcerowsecurity AND NOT EXISTS (
                SELECT FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner))
            AND NOT (c.relkind = 'S' AND EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass
                    AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')))
        ORDER BY 1, 2
        """
}
