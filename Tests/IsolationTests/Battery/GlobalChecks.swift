import Foundation
import Kernel
import Postgres

/// What must hold for a database as a whole.
struct GlobalChecks: Sendable {
    let a: TenantID
    let b: TenantID

    var all: [Check] { forgeries + [rights, policies, secured, keys, references, owners] }

    // MARK: Forgery

    private var forgeries: [Check] {
        let now = Int64(Date().timeIntervalSince1970)
        let (own, foreign) = (Prober.context(a, "orders_app"), Prober.context(b, "orders_app"))
        func claim(_ name: String, _ context: String, _ until: Int64, _ mac: @escaping @Sendable (Prober) -> [UInt8])
            -> Check
        {
            Check(name) { prober in
                let answer = try await prober.attempt(
                    "SELECT 1", as: "orders_app", in: .claiming(context, validUntil: until, mac: mac(prober)))
                return answer.sqlState == "AT003" ? nil : describe(answer)
            }
        }
        func refused(
            _ name: String, as role: String = "orders_app", _ sql: SQL, _ states: Set<String> = ["42501"]
        ) -> Check {
            Check(name) { prober in
                let answer = try await prober.attempt(sql, as: role, in: .entered(a, as: role))
                return states.contains(answer.sqlState ?? "") ? nil : describe(answer)
            }
        }
        return [
            claim("a made-up signature opens nothing", foreign, 0) { _ in Array(repeating: 7, count: 32) },
            claim("A's signature does not open B", foreign, 0) {
                Prober.mac(own, boundTo: $0.connection.serverProcess ?? 0)
            },
            claim("a signature for another server process opens nothing", foreign, 0) {
                Prober.mac(foreign, boundTo: ($0.connection.serverProcess ?? 0) + 1)
            },
            claim("a signature that has expired opens nothing", foreign, now - 5) { _ in
                Prober.mac(foreign, until: now - 5)
            },
            claim("a signature does not hold for longer than it says", foreign, now + 3600) { _ in
                Prober.mac(foreign, until: now + 60)
            },
            refused("set_config is closed", "SELECT set_config('search_path', 'x', true)"),
            refused(
                "the parameter that holds the context can't be set",
                "SET LOCAL backtrace_functions = '\(unsafeSQL: foreign)'"),
            refused("a DO block is closed", "DO $$ BEGIN PERFORM 1; END $$"),
            refused("the signing keys can't be read", "SELECT inner_key FROM platform.context_keys"),
            refused("a function can't be made", "CREATE FUNCTION orders.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
            refused("a temporary table can't be made", "CREATE TEMP TABLE t (x int)"),
            refused("a schema can't be made", "CREATE SCHEMA s"),
            refused("a large object can't be written", "SELECT lo_from_bytea(0, '\\x00')"),
            refused("a session's advisory lock is closed", "SELECT pg_advisory_lock(1)"),
            refused("the owner's role is closed", "SET LOCAL ROLE atrium_owner"),
        ]
    }

    // MARK: What the catalogue says

    private var rights: Check {
        Check("every role has exactly the rights that were approved") { prober in
            let approved = try ApprovedRights()
            return approved.difference(from: try await EffectiveRights(on: prober.connection))
        }
    }

    private var policies: Check {
        found(
            "every policy asks for the context",
            """
            SELECT format('policy %s of %s', p.polname, c.oid::regclass) FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
            WHERE coalesce(pg_get_expr(p.polqual, c.oid), '-') NOT IN ('(tenant_id = ( SELECT platform.tenant_id() AS tenant_id))',
                    '( SELECT platform.is_entered() AS is_entered)')
                OR coalesce(pg_get_expr(p.polwithcheck, c.oid), '-') <> pg_get_expr(p.polqual, c.oid)
                OR p.polroles = '{0}' AND pg_get_expr(p.polqual, c.oid) LIKE '%is_entered%' OR NOT p.polpermissive
            """)
    }

    private var secured: Check {
        found(
            "every table that a role can reach has row security, and a policy that lets the role in",
            """
            SELECT format('%s, reached by %s', c.oid::regclass, r.rolname) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours) AND n.nspname <> 'atrium_migrations'
            JOIN pg_roles r ON r.rolname <> 'atrium_owner' AND NOT r.rolsuper AND pg_has_role('atrium_app', r.oid, 'MEMBER')
            WHERE c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND EXISTS (
                    SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polroles && ARRAY[0::oid, r.oid]))
                AND (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                    OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
            """)
    }

    private var keys: Check {
        found(
            "every unique key that a tenant can collide with begins with the tenant",
            """
            SELECT format('%s of %s', x.indexrelid::regclass, c.oid::regclass) FROM pg_index x
            JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours)
            JOIN pg_attribute t ON t.attrelid = c.oid AND t.attname = 'tenant_id'
            WHERE x.indisunique AND x.indkey[0] <> t.attnum AND EXISTS (
                SELECT FROM pg_roles r WHERE r.rolname ~ '_app$' AND r.rolname <> 'atrium_app'
                    AND has_table_privilege(r.oid, c.oid, 'INSERT'))
            """)
    }

    private var references: Check {
        found(
            "every foreign key between tenants' tables holds the tenant on both sides",
            """
            SELECT format('%s of %s', f.conname, f.conrelid::regclass) FROM pg_constraint f
            JOIN pg_attribute l ON l.attrelid = f.conrelid AND l.attname = 'tenant_id'
            JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attname = 'tenant_id'
            WHERE f.contype = 'f' AND array_position(f.conkey, l.attnum) IS DISTINCT FROM array_position(f.confkey, r.attnum)
                OR f.contype = 'f' AND array_position(f.conkey, l.attnum) IS NULL
            """)
    }

    private var owners: Check {
        found(
            "every table belongs to atrium_owner and holds its owner to row security where it has tenants' rows",
            """
            SELECT format('table %s', c.oid::regclass) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace AND \(Catalogue.ours)
            WHERE c.relkind IN ('r', 'p') AND (c.relowner <> 'atrium_owner'::regrole
                OR NOT (c.relrowsecurity AND c.relforcerowsecurity) AND EXISTS (
                    SELECT FROM pg_attribute t WHERE t.attrelid = c.oid AND t.attname = 'tenant_id'))
            """)
    }

    /// Holds where the query finds nothing.
    private func found(_ name: String, _ query: SQL) -> Check {
        Check(name) { prober in
            let rows = try await prober.connection.flight([Statement(query, prepare: false)])[0]
            return rows.isEmpty ? nil : try rows.map { try $0.decode(String.self) }.joined(separator: ", ")
        }
    }
}
