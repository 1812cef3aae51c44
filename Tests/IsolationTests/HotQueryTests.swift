import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Atrium
@testable import Tenancy

/// What the routes really send is read off the connection that they used, where it stays prepared.
@Suite("Every statement that the routes send")
struct HotQueryTests {
    @Test("finds its rows by an index that begins with the tenant, and asks for the context once")
    func plans() async throws {
        try await ServedPlane.with(maximum: 1) { served in
            try await Self.useRoutes(served)
            try await served.data.fleet.database(served.data.fleet.control).primary.withConnection { connection in
                let prepared = try await connection.query(
                    "SELECT name, statement, cardinality(parameter_types) FROM pg_prepared_statements ORDER BY statement"
                ).map { try $0.decode((String, String, Int32).self) }
                var scans = 0
                for (name, statement, parameters) in prepared {
                    guard let role = Self.role(of: statement) else { continue }
                    let plan = try await Self.plan(
                        "EXECUTE \"\(name)\"\(parameters == 0 ? "" : "(" + Array(repeating: "NULL", count: Int(parameters)).joined(separator: ", ") + ")")",
                        role, served.pair.a, on: connection)
                    scans += plan.count { $0.contains("Index") && $0.contains(" on ") }
                    #expect(Self.flaws(plan).isEmpty, "\(statement)\n\(plan.joined(separator: "\n"))")
                }
                #expect(scans >= 15)
            }
        }
    }

    @Test(
        "would be found out by a scan of a whole table",
        arguments: [
            "SELECT * FROM orders.order_lines WHERE sku = 'x'",
            "SELECT * FROM orders.orders WHERE customer_id IS NOT NULL",
        ])
    func planted(_ sql: String) async throws {
        try await Neighbours.with(.pool, maximum: 1) { pair in
            // Without the policy nothing narrows the scan to the tenant.
            try await pair.look(at: pair.a, "ALTER POLICY tenant_isolation ON orders.orders USING (true)")
            try await pair.look(
                at: pair.a,
                "ALTER POLICY tenant_isolation ON orders.order_lines USING (tenant_id = platform.tenant_id() OR sku = '')"
            )
            try await pair.plane.pool.withConnection { connection in
                let plan = try await Self.plan(sql, "orders_app", pair.a.tenantID, on: connection)
                #expect(!Self.flaws(plan).isEmpty, "\(plan.joined(separator: "\n"))")
            }
        }
    }

    private static func useRoutes(_ served: ServedPlane) async throws {
        let client = served.client(served.pair.a)
        let lines: JSONValue = try JSONValue(
            parsing: Data(#"{"lines":[{"sku":"S","quantity":2,"unitPriceMinor":300}]}"#.utf8))
        let order = "/api/v1/orders/\(served.pair.a)"
        for path in [
            "/api/v1/orders", "/api/v1/orders?state=draft", "/api/v1/orders?customer=\(served.pair.a)", order,
            "\(order)/history", "/api/v1/invoices", "/api/v1/invoices?state=issued",
            "/api/v1/invoices?customer=\(served.pair.a)", "/api/v1/invoices?order=\(served.pair.a)",
            "/api/v1/invoices/\(served.pair.a)", "/api/v1/account", "/api/v1/meters", "/api/v1/meters/api.calls",
            "/api/v1/tenant", "/api/v1/me", "/api/v1/api-keys",
        ] { _ = try await client.get(path) }
        let match = ["If-Match": "\"1\""]
        #expect(try await client.put("\(order)/lines", json: lines, headers: match).status == 200)
        let placed = try await client.post("\(order)/place", headers: ["If-Match": "\"2\""])
        #expect(placed.status == 200, "\(placed)")
    }

    /// The role that a statement is for, by the schema that it names first; `nil` where no tenant's table is read.
    private static func role(of statement: String) -> String? {
        guard let match = statement.firstMatch(of: /\b(orders|billing|metering|identity)\.[a-z_]+/),
            statement.contains(/SELECT|UPDATE|DELETE/), !statement.contains("platform.enter")
        else { return nil }
        return "\(match.output.1)_app"
    }

    /// The plan that serves every tenant, as the planner would have it in large tables.
    private static func plan(
        _ sql: String, _ role: String, _ tenant: TenantID, on connection: PostgresConnection
    ) async throws -> [String] {
        let results = try await connection.flight(
            [Statement("BEGIN")]
                + ContextSigner(TestDataPlane.contextKey).entering(role, for: tenant, on: connection) + [
                    Statement("SET LOCAL plan_cache_mode = force_generic_plan"),
                    Statement("SET LOCAL enable_seqscan = off"),
                    Statement("SET LOCAL enable_bitmapscan = off"),
                    Statement("EXPLAIN (COSTS off) \(unsafeSQL: sql)", prepare: false), Statement("ROLLBACK"),
                ])
        return try results[results.count - 2].map { try $0.decode(String.self) }
    }

    /// Scans that no tenant's identifier narrows, and policies that are asked row by row.
    private static func flaws(_ plan: [String]) -> [String] {
        var flaws = plan.filter { $0.contains("Seq Scan on") }
        for (number, line) in plan.enumerated() where line.contains(/Index (Only )?Scan/) {
            let condition = plan.dropFirst(number + 1).first { $0.contains("Index Cond:") || $0.contains("->") }
            if condition?.contains("tenant_id") != true { flaws.append(line) }
        }
        flaws += plan.filter { $0.contains("Filter:") && $0.contains(/current_setting|split_part|tenant_id\(\)/) }
        return flaws
    }
}
