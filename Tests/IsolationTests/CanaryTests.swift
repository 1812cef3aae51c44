import Kernel
import Logging
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Atrium

@Suite("The canaries")
struct CanaryTests {
    /// A fence taken down in a running database, and the door through which that shows.
    struct Hole: Sendable, CustomTestStringConvertible {
        let door: String
        let change: String
        var testDescription: String { change }

        static let all = [
            Hole(door: "sql", change: "ALTER POLICY tenant_isolation ON orders.orders USING (true) WITH CHECK (true)"),
            Hole(door: "sql", change: "ALTER TABLE orders.order_lines DISABLE ROW LEVEL SECURITY"),
            Hole(door: "sql", change: "CREATE POLICY further ON identity.api_keys USING (true)"),
            Hole(
                door: "sql",
                change: """
                    CREATE OR REPLACE FUNCTION platform.enter(context text, valid_until bigint, mac bytea) RETURNS void \
                    LANGUAGE sql SECURITY DEFINER AS $$ SELECT set_config('backtrace_functions', context, true) $$
                    """),
            Hole(
                door: "sql",
                change: """
                    CREATE OR REPLACE FUNCTION platform.is_entered() RETURNS boolean LANGUAGE sql STABLE RETURN true
                    """),
            Hole(door: "events", change: "ALTER POLICY tenant_isolation ON orders.outbox WITH CHECK (true)"),
        ]
    }

    @Test("are two in the pool, however often and by how many they are asked for")
    func ensured() async throws {
        try await WatchedPlane.with { watched in
            let pairs = try await withThrowingTaskGroup(of: [CanaryPair].self) { group in
                for _ in 0..<4 { group.addTask { try await watched.tenants.ensure() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(pairs.flatMap { $0 }).count == 1)
            #expect(pairs.allSatisfy { $0.count == 1 && $0[0].placement == .pool && $0[0].a != $0[0].b })
            let rows = try await watched.plane.asSuperuser(
                "SELECT slug FROM control.tenants WHERE is_canary AND state = 'active' ORDER BY slug")
            #expect(try rows.map { try $0.decode(String.self) } == ["canary-pool-a-home", "canary-pool-b-home"])
        }
    }

    @Test("are two on the bridge as well, where somebody lives there")
    func bridge() async throws {
        try await WatchedPlane.with { watched in
            try await watched.registerBridgeTenant()
            let pairs = try await watched.tenants.ensure()
            try #require(
                pairs.map(\.placement) == [.pool, .bridge], "\(watched.lines.all.filter { $0.level > .info })")
            await watched.watch.round()
            #expect(watched.counter("attempts", "sql") > 30)
            #expect(watched.counter("crossings", "sql") == 0)
            #expect(watched.counter("failures", "sql") == 0)
            let schema = SchemaSet.own(pairs[1].b).name(of: "orders")
            try await watched.plane.asSuperuser(
                "ALTER POLICY tenant_isolation ON \(identifier: schema).orders USING (true)")
            await watched.watch.round()
            #expect(watched.lines.alarms.map { $0.metadata["tier"] }.allSatisfy { $0 == "bridge" })
            #expect(watched.counter("crossings", "sql") > 0)
        }
    }

    @Test("are silent as long as no door is open, and tell that they try")
    func silent() async throws {
        try await WatchedPlane.with { watched in
            for _ in 0..<3 { await watched.watch.round() }
            for door in ["sql", "events"] {
                #expect(watched.counter("attempts", door) >= 9)
                #expect(watched.counter("crossings", door) == 0)
                #expect(watched.counter("failures", door) == 0)
            }
            #expect(watched.lines.alarms.isEmpty)
            let left = try await watched.plane.asSuperuser(
                "SELECT (SELECT count(*) FROM orders.orders), (SELECT count(*) FROM orders.outbox), (SELECT count(*) FROM orders.inbox)"
            )
            let (orders, outbox, inbox) = try left[0].decode((Int64, Int64, Int64).self)
            #expect([orders, outbox, inbox] == [2, 0, 0])
        }
    }

    @Test("raise the alarm at the first success, and once", arguments: Hole.all)
    func hole(_ hole: Hole) async throws {
        try await WatchedPlane.with { watched in
            await watched.watch.round()
            #expect(watched.lines.alarms.isEmpty)
            try await watched.plane.asSuperuser("\(unsafeSQL: hole.change)")
            await watched.watch.round()
            let alarms = watched.lines.alarms
            #expect(!alarms.isEmpty)
            #expect(alarms.allSatisfy { $0.level == .critical && $0.metadata["door"] == .string(hole.door) })
            #expect(alarms.allSatisfy { $0.metadata["runbook"] == "docs/runbooks/tenant-crossing.md" })
            let crossings = watched.counter("crossings", hole.door)
            #expect(crossings == alarms.count)
            await watched.watch.round()
            #expect(watched.lines.alarms.count == alarms.count)
            #expect(watched.counter("crossings", hole.door) == 2 * crossings)
        }
    }

    @Test("say that they are blind where the bait is gone, and raise no alarm")
    func blind() async throws {
        try await WatchedPlane.with { watched in
            await watched.watch.round()
            try await watched.plane.asSuperuser("ALTER POLICY tenant_isolation ON orders.orders USING (false)")
            await watched.watch.round()
            #expect(watched.counter("failures", "sql") > 0)
            #expect(watched.lines.alarms.isEmpty)
        }
    }

    @Test("knock at the process's own HTTP port")
    func http() async throws {
        try await ServedPlane.with { served in
            let pair = served.pair
            let door = HTTPCanaryDoor(base: { served.url }, secret: TestDataPlane.secret)
            let closed = try await door.attempt(pair)
            #expect(closed.attempts == 6 && closed.crossings.isEmpty, "\(closed)")
            // An order by that identifier which answers A, as B's would if the tenant were not looked at.
            try await served.plane.asSuperuser(
                """
                INSERT INTO orders.orders SELECT \(pair.a), id, customer_id, currency, state, total_minor, created_at, \
                updated_at, version FROM orders.orders WHERE tenant_id = \(pair.b)
                """)
            let open = try await door.attempt(pair)
            #expect(open.crossings.count >= 3, "\(open)")
        }
    }
}
