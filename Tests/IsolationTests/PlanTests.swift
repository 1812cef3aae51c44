import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// Plans outlive transactions: what was planned for one tenant or role must not answer for another.
@Suite("A plan that was made for one tenant")
struct PlanTests {
    @Test("answers for the next one on the same connection", arguments: Tier.allCases)
    func genericPlan(_ tier: Tier) async throws {
        // In a silo the other tenant is on another connection to begin with.
        try await Neighbours.with(tier, maximum: 1) { pair in
            let sql: SQL = "SELECT sku FROM orders.order_lines"
            for _ in 0..<10 {
                let rows = try await pair.plane.dataPlane.query(pair.a, as: Neighbours.orders, sql)
                #expect(try rows.map { try $0.decode(String.self) } == [Neighbours.secretOfA])
            }
            let rows = try await pair.plane.dataPlane.query(pair.b, as: Neighbours.orders, sql)
            #expect(try rows.map { try $0.decode(String.self) } == [Neighbours.secretOfB])
            let touched = try await pair.run("UPDATE orders.orders SET total_minor = 5 RETURNING tenant_id", as: pair.a)
            #expect(try touched.map { try $0.decode(TenantID.self) } == [pair.a.tenantID])
        }
    }

    @Test("is used as a generic plan by then, so that the test above means something")
    func isGeneric() async throws {
        try await Neighbours.with(.pool, maximum: 1) { pair in
            let sql: SQL = "SELECT sku FROM orders.order_lines"
            for _ in 0..<10 { _ = try await pair.plane.dataPlane.query(pair.a, as: Neighbours.orders, sql) }
            try await pair.plane.pool.withConnection { connection in
                let generic = try await connection.query(
                    "SELECT generic_plans FROM pg_prepared_statements WHERE statement LIKE 'SELECT sku FROM%'")
                #expect(try generic[0].decode(Int64.self) >= 10)
            }
        }
    }

    @Test("is planned anew in another role, also inside a function of the owner's")
    func otherRole() async throws {
        try await Neighbours.with(.pool, maximum: 1) { pair in
            // The worker is let in by a policy of its own: the same text has another plan for it.
            for sql: SQL in [
                "GRANT SELECT ON orders.orders TO orders_worker",
                "CREATE FUNCTION orders.all_orders() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT count(*) FROM orders.orders'",
                "CREATE FUNCTION orders.my_orders() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM orders.orders'",
                "ALTER FUNCTION orders.all_orders() OWNER TO atrium_owner",
                "GRANT EXECUTE ON FUNCTION orders.all_orders(), orders.my_orders() TO orders_app, orders_worker",
            ] { try await pair.look(at: pair.a, sql) }
            try await pair.raw(pair.a, entering: true) { connection, _ in
                var counts: [Int64] = []
                for statement: SQL in [
                    "PREPARE p AS SELECT count(*) FROM orders.orders", "PREPARE f AS SELECT orders.my_orders()",
                    "PREPARE d AS SELECT orders.all_orders()",
                ] { _ = try await connection.flight([Statement(statement, prepare: false)]) }
                for role in ["orders_app", "orders_worker", "orders_app"] {
                    _ = try await connection.query("SET LOCAL ROLE \(identifier: role)")
                    for name in ["p", "f", "d"] {
                        for _ in 0..<6 {
                            let rows = try await connection.flight([
                                Statement("EXECUTE \(identifier: name)", prepare: false)
                            ])[0]
                            counts.append(try rows[0].decode(Int64.self))
                        }
                    }
                }
                // As orders_app its own order; as orders_worker, which was not entered, none; the owner's function none.
                let own: [Int64] = Array(repeating: 1, count: 12) + Array(repeating: 0, count: 6)
                #expect(counts == own + Array(repeating: 0, count: 18) + own)
                _ = try await connection.flight([Statement("DEALLOCATE ALL", prepare: false)])
            }
        }
    }

    @Test("is not shared by tenants with schemas of their own: the same text means each one's tables")
    func ownSchemas() async throws {
        try await Neighbours.with(.bridge, maximum: 1) { pair in
            for _ in 0..<7 {
                for (tenant, secret) in [(pair.a, Neighbours.secretOfA), (pair.b, Neighbours.secretOfB)] {
                    let rows = try await pair.plane.dataPlane.query(
                        tenant, as: Neighbours.orders,
                        "SELECT l.sku FROM orders.orders o JOIN orders.order_lines l ON l.order_id = o.id")
                    #expect(try rows.map { try $0.decode(String.self) } == [secret])
                }
            }
            // Nor by the path that unqualified names are looked up on.
            try await pair.raw(pair.a, entering: true) { connection, _ in
                var seen: [Int64] = []
                for tenant in [pair.a, pair.b] {
                    let schema = SchemaSet.own(tenant.tenantID).name(of: "orders")
                    let results = try await connection.flight([
                        Statement("SET LOCAL search_path = \(identifier: schema)"),
                        Statement("SELECT count(*) FROM orders"),
                    ])
                    seen.append(try results[1][0].decode(Int64.self))
                }
                #expect(seen == [1, 0])
            }
        }
    }
}
