import DevStack
import Foundation
import Kafka
import Postgres
import Synchronization
import TestSupport
import Testing

private final class Tally: Sendable {
    let count = Atomic(0)
}

/// Whatever dies in between: in the end, orders, invoices and usage agree.
@Suite("After a fault", .showsPrograms)
struct FaultTests {
    private static let metered: SQL = """
        SELECT coalesce(sum(b.count), 0)::bigint FROM metering.usage_buckets b
        JOIN metering.meters m ON m.tenant_id = b.tenant_id AND m.id = b.meter_id WHERE m.key = 'orders.placed'
        """

    /// Every fulfilled order has one invoice of the same total, every placed one is metered once, and nothing is left over.
    private static func agreement(_ stack: Stack, orders: Int) async throws {
        try await Waiting.until("\(orders) orders are invoiced and metered", within: .seconds(60)) {
            let invoices = try await stack.number("SELECT count(*) FROM billing.invoices")
            let metered = try await stack.number(metered)
            return invoices >= orders && metered >= orders
        }
        #expect(try await stack.number("SELECT count(*) FROM orders.orders WHERE state = 'fulfilled'") == orders)
        #expect(try await stack.number("SELECT count(*) FROM billing.invoices") == orders)
        #expect(
            try await stack.number(metered)
                == orders)
        #expect(
            try await stack.number(
                """
                SELECT count(*) FROM orders.orders o FULL JOIN billing.invoices i
                ON i.tenant_id = o.tenant_id AND i.order_id = o.id
                WHERE o.id IS NULL OR i.id IS NULL OR i.total_minor <> o.total_minor
                """) == 0)
        for context in ["identity", "orders", "billing", "metering"] {
            #expect(try await stack.number("SELECT count(*) FROM \(unsafeSQL: context).dead_letters") == 0)
        }
    }

    @Test("between commit and publish, the next process publishes what the killed one had committed")
    func killedBeforePublish() async throws {
        try await Stack.with { stack in
            // No relay runs: whatever this process commits is committed and not published when it dies.
            let first = try await stack.start(["--roles", "http"])
            let tenant = try await stack.register()
            for _ in 0..<5 { _ = try await tenant.fulfilledOrder() }
            try await first.kill()
            #expect(try await stack.number("SELECT max(position) FROM orders.outbox_cursor") == 0)
            try await stack.serving { _ in try await Self.agreement(stack, orders: 5) }
        }
    }

    @Test("between consume and commit, the event comes again and counts once")
    func killedBetweenConsumeAndCommit() async throws {
        try await Stack.with { stack in
            try await stack.serving(["--roles", "http,relay"]) { _ in
                let tenant = try await stack.register()
                // Whoever wants to issue an invoice waits here, with the event consumed and nothing committed.
                let gate = try await PostgresConnection.connect(
                    ConnectionSettings(stack.database.url), logger: .silent)
                _ = try await gate.flight(
                    [Statement("BEGIN"), Statement("LOCK TABLE billing.invoice_counters IN SHARE ROW EXCLUSIVE MODE")],
                    deadline: nil)
                let consumers = try await stack.start(["--roles", "consumers"], port: FreePort.find())
                for _ in 0..<3 { _ = try await tenant.fulfilledOrder() }
                try await Waiting.until("a consumer waits at the gate") {
                    try await stack.number(
                        """
                        SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                        WHERE d.datname = current_database() AND NOT granted
                            AND relation = 'billing.invoice_counters'::regclass
                        """) > 0
                }
                try await consumers.kill()
                _ = try await gate.flight([Statement("ROLLBACK")], deadline: nil)
                gate.close()
                #expect(try await stack.number("SELECT count(*) FROM billing.invoices") == 0)
                let next = try await stack.start(["--roles", "consumers"], port: FreePort.find())
                try await Self.agreement(stack, orders: 3)
                _ = try await next.terminate()
            }
        }
    }

    @Test("of a process killed again and again under load, nothing is lost and nothing counted twice")
    func killedUnderLoad() async throws {
        try await Stack.with { stack in
            var process = try await stack.start()
            let tenant = try await stack.register()
            let wanted = 40
            let done = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for worker in 0..<4 {
                    group.addTask {
                        for number in 0..<(wanted / 4) {
                            try await Self.insist(on: "w\(worker)-\(number)", tenant)
                            done.count.add(1, ordering: .relaxed)
                        }
                    }
                }
                for part in 1...3 {
                    try await Waiting.until("part \(part) of the load") {
                        done.count.load(ordering: .relaxed) >= part * wanted / 4
                    }
                    try await process.kill()
                    process = try await stack.start()
                }
                try await group.waitForAll()
            }
            try await Self.agreement(stack, orders: wanted)
            _ = try await process.terminate()
        }
    }

    /// What a careful client does: repeats a request with its key until it is answered, and reads before it moves on.
    private static func insist(on key: String, _ tenant: Stack.Tenant) async throws {
        func answered(_ send: () async throws -> HTTPReply) async throws -> HTTPReply {
            try await Waiting.value("an answer", within: .seconds(60), every: .milliseconds(50)) {
                guard let reply = try? await send(), reply.status != 503 else { return nil }
                return reply
            }
        }
        let opened = try await answered { try await tenant.openOrder(place: true, key: key) }
        guard opened.status == 201, let id = opened["id"]?.string else { throw Unexpected(reply: opened) }
        for (move, state) in [("approve", "approved"), ("fulfil", "fulfilled")] {
            while true {
                let now = try await answered { try await tenant.http.get("/api/v1/orders/\(id)") }
                if now["state"]?.string == state { break }
                let moved = try await answered {
                    try await tenant.http.post(
                        "/api/v1/orders/\(id)/\(move)", headers: ["If-Match": now.headers["ETag"] ?? ""])
                }
                guard [200, 412].contains(moved.status) else { throw Unexpected(reply: moved) }
            }
        }
    }

    @Test("of the database, requests are told to come back, and everything is caught up with")
    func databaseRestart() async throws {
        try await PostgresServer.withDedicated { server in
            let database = server.primary.address
            try await DatabaseTemplate.migrate(database)
            try await Stack.with(database) { stack in
                try await stack.serving { _ in
                    let tenant = try await stack.register()
                    for _ in 0..<3 { _ = try await tenant.fulfilledOrder() }
                    try await server.primary.stop(.fast)
                    let refused = try await tenant.openOrder()
                    #expect(refused.status == 503)
                    #expect(refused.headers["Retry-After"] != nil)
                    let ready = try await stack.http.get("/health/ready")
                    #expect(ready.status == 503 && ready.text.contains("postgres"))
                    #expect(try await stack.http.get("/health/live").status == 200)
                    try await server.primary.start()
                    try await Waiting.until("the server takes orders again") {
                        try await tenant.openOrder().status == 201
                    }
                    for _ in 0..<3 { _ = try await tenant.fulfilledOrder() }
                    try await Waiting.until("all is invoiced") {
                        try await stack.number("SELECT count(*) FROM billing.invoices") == 6
                    }
                    #expect(try await stack.number("SELECT count(*) FROM billing.dead_letters") == 0)
                }
            }
        }
    }

    @Test("of the broker, a server that is told to stop still stops within ten seconds and loses nothing")
    func stopWhileBrokerDown() async throws {
        try await Stack.with { stack in
            let first = try await stack.start()
            let tenant = try await stack.register()
            _ = try await tenant.fulfilledOrder()
            try await Self.agreement(stack, orders: 1)
            try stack.broker.setDown(true)
            for _ in 0..<3 { _ = try await tenant.fulfilledOrder() }
            let asked = ContinuousClock.now
            _ = try await first.terminate()
            #expect(asked.duration(to: .now) < .seconds(10))
            try stack.broker.setDown(false)
            try await stack.serving { _ in try await Self.agreement(stack, orders: 4) }
        }
    }

    @Test("of the broker, orders go on, and invoices follow when it is back")
    func brokerDown() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                _ = try await tenant.fulfilledOrder()
                try stack.broker.setDown(true)
                for _ in 0..<10 { _ = try await tenant.fulfilledOrder() }
                try stack.broker.setDown(false)
                try await Self.agreement(stack, orders: 11)
            }
        }
    }
}
