import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// What tells of rows without showing them: copies, dumps, statistics, sequences.
@Suite("What tells of another tenant's rows")
struct OutletTests {
    @Test("COPY takes out a tenant's own rows and lets none in", arguments: Tier.allCases)
    func copy(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let place = try await pair.plane.dataPlane.residence(of: pair.a.tenantID).placement
            let until = Int64(Date().timeIntervalSince1970) + 60
            let context = "\(pair.a.tenantID.hexDigits),orders_app"
            let mac = TestDataPlane.contextKey.code(for: "\(context),until \(until)").map { byte in
                String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }.joined()
            func run(_ sql: String) async throws -> String {
                try await pair.plane.database.server.instance.execute(
                    """
                    SET SESSION AUTHORIZATION atrium_app; BEGIN; SET LOCAL ROLE orders_app;
                    SELECT platform.enter('\(context)', \(until), '\\x\(mac)');
                    \(place.schemas.resolve(sql, context: "orders"));
                    """, database: place.database.name)
            }
            for source in ["orders.order_lines (sku)", "(SELECT sku FROM orders.order_lines)"] {
                let text = try await run("COPY \(source) TO STDOUT")
                #expect(text.contains(Neighbours.secretOfA) && !text.contains(Neighbours.secretOfB), "\(source)")
            }
            for refused in [
                "COPY orders.order_lines FROM '/dev/null'", "COPY orders.order_lines FROM STDIN",
                "COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/x'",
            ] {
                await #expect(throws: (any Error).self, "\(refused)") { try await run(refused) }
            }
        }
    }

    @Test("a dump that row security would cut short fails", arguments: Tier.allCases)
    func dump(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            for (role, entering) in [("orders_app", true), ("orders_app", false), ("orders_worker", false)] {
                let error = await #expect(throws: PostgresError.self) {
                    try await pair.raw(pair.a, role: role, entering: entering) { connection, schemas in
                        let table =
                            role == "orders_app" ? schemas.resolve("orders.orders", context: "orders") : "orders.outbox"
                        _ = try await connection.flight([
                            Statement("SET LOCAL row_security = off"), Statement("SELECT * FROM \(unsafeSQL: table)"),
                        ])
                    }
                }
                #expect(error?.sqlState == "42501")
            }
        }
    }

    @Test("statistics show a tenant nothing of what the columns hold", arguments: Tier.allCases)
    func statistics(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            try await pair.look(at: pair.a, "ANALYZE orders.order_lines")
            try await pair.look(at: pair.b, "ANALYZE orders.order_lines")
            let seen = try await pair.number(
                "SELECT count(*) FROM pg_stats WHERE tablename IN ('orders', 'order_lines')", as: pair.a)
            #expect(seen == 0)
            for table: SQL in ["pg_statistic", "pg_statistic_ext_data"] {
                #expect(try await pair.refusal("SELECT * FROM \(table)", as: pair.a)?.sqlState == "42501")
            }
            let others = try await pair.number(
                """
                SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'atrium_app' \
                AND query IS NOT NULL AND query <> '<insufficient privilege>'
                """, as: pair.a)
            #expect(others == 0)
        }
    }

    @Test("numbers that all tenants share are not shown", arguments: Tier.allCases)
    func sequences(_ tier: Tier) async throws {
        try await Neighbours.with(tier) { pair in
            let event: SQL = """
                INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, \
                correlation_id, traceparent, payload) VALUES (\(pair.a.tenantID), \(pair.orderOfA), 't', 't', \
                \(pair.orderOfA), 1, now(), \(pair.orderOfA), '', '{}')
                """
            #expect(try await pair.refusal("\(event) RETURNING position", as: pair.a)?.sqlState == "42501")
            #expect(try await pair.refusal(event, as: pair.a) == nil)
            for sql: SQL in [
                "SELECT last_value FROM orders.outbox_position_seq", "SELECT nextval('orders.outbox_position_seq')",
                "SELECT currval('orders.outbox_position_seq')", "SELECT position FROM orders.outbox",
            ] {
                // A tenant's own schemas have no such sequence at all.
                let state = try await pair.refusal(sql, as: pair.a)?.sqlState
                #expect(state == "42501" || tier == .bridge && state == "42P01", "\(sql)")
            }
            let known = try await pair.number(
                "SELECT count(*) FROM pg_sequences WHERE schemaname = 'orders' AND last_value IS NOT NULL", as: pair.a)
            #expect(known == 0)
        }
    }

    @Test("identifiers are not counted up: 62 bits of each are chance")
    func identifiers() {
        let made = (0..<1000).map { _ in IdentifierSource.system.next(TenantID.self).description }
        #expect(Set(made.map { $0.suffix(15) }).count == made.count)
        #expect(made.allSatisfy { Array($0)[14] == "7" })
    }

    @Test("another tenant's schemas show nothing and take nothing when they are named")
    func namedSchema() async throws {
        try await Neighbours.with(.bridge) { pair in
            let before = try await pair.stateOfB()
            let schema = SchemaSet.own(pair.b.tenantID).name(of: "orders")
            #expect(try await pair.number("SELECT count(*) FROM \(identifier: schema).orders", as: pair.a) == 0)
            for sql: SQL in [
                "UPDATE \(identifier: schema).orders SET total_minor = 7",
                "DELETE FROM \(identifier: schema).order_lines",
            ] {
                #expect(try await pair.run(sql, as: pair.a).affected == 0)
            }
            for tenant in [pair.a, pair.b] {
                let copy = try await pair.refusal(
                    """
                    INSERT INTO \(identifier: schema).orders SELECT \(tenant.tenantID), \(pair.orderOfA), customer_id, \
                    currency, state, total_minor, created_at, updated_at, version FROM orders.orders
                    """, as: pair.a)
                #expect(copy?.sqlState == (tenant.tenantID == pair.a.tenantID ? "23514" : "42501"))
            }
            for tenant in [pair.a, pair.b] {
                let line = try await pair.refusal(
                    """
                    INSERT INTO \(identifier: schema).order_lines VALUES (\(tenant.tenantID), \(pair.orderOfB), 2, 'x', 1, 1)
                    """, as: pair.a)
                #expect(line != nil)
            }
            #expect(try await pair.refusal("SET LOCAL search_path = \(identifier: schema)", as: pair.a) == nil)
            #expect(try await pair.stateOfB() == before)
        }
    }
}
