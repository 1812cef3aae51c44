import DevStack
import Foundation
import Kafka
import Postgres
import TestSupport
import Testing

/// The broker loses what a context has not taken in yet.
@Suite("atrium events refill", .showsPrograms)
struct RefillTests {
    private static func atrium(
        _ stack: Stack, _ arguments: String...
    ) async throws -> (exit: ProgramExit, output: [String]) {
        // Without the contexts whose outboxes it reads.
        let environment = stack.environment(logLevel: "error").merging(["ATRIUM_CONTEXTS": "billing"]) { $1 }
        let process = try await AtriumProcess.start(
            ["events", "refill"] + arguments, environment: environment, readyWhen: .none)
        return (try await process.waitForExit(within: .seconds(60)), process.output)
    }

    /// As Billing's metric shows them.
    private static func gaps(_ stack: Stack) async throws -> Double? {
        let text = try await stack.http.get("/metrics").text
        let line = text.split(separator: "\n").first {
            $0.hasPrefix("atrium_consumer_gaps{") && $0.contains("\"billing\"")
        }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }

    @Test("has what a broker lost published again, and lets the context go on, once it is told to")
    func brokerLosesAll() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (tenant, seen, missed) = try await before(database.address)
            try await Stack.with(database.address) { stack in
                let tenant = Stack.Tenant(
                    id: tenant.id, slug: tenant.slug, http: stack.http.authorized(try #require(tenant.http.bearer)))
                try await stack.serving { server in
                    try await Waiting.until("Billing has found its gaps", within: .seconds(60)) {
                        try await stack.number(
                            "SELECT count(*) FROM billing.stream_gaps WHERE topic = 'orders.order'") > 0
                    }
                    try await Waiting.until("the alarm is raised", within: .seconds(60)) {
                        server.output.contains { $0.contains("events are missing") && $0.contains("critical") }
                    }
                    try await Waiting.until("the gaps are counted", within: .seconds(60)) {
                        try await Self.gaps(stack).map { $0 > 0 } ?? false
                    }
                    #expect(try await tenant.invoices(of: missed).isEmpty, "nothing is passed over in silence")

                    let plan = try await Self.atrium(stack, "--context", "billing", "--dry-run")
                    #expect(plan.exit == .exited(0), "\(plan)")
                    #expect(plan.output.contains { $0.hasPrefix("orders.order[") }, "\(plan)")
                    #expect(plan.output.contains { $0.hasPrefix("orders\t") && !$0.contains("\tnone\t") }, "\(plan)")
                    let late = try await Self.atrium(stack, "--context", "billing", "--since", "2099-01-01T00:00:00Z")
                    #expect(late.exit != .exited(0), "\(late)")
                    #expect(late.output.contains { $0.contains("--since is later than the last event") }, "\(late)")
                    #expect(try await tenant.invoices(of: missed).isEmpty)

                    let done = try await Self.atrium(stack, "--context", "billing", "--by", "ada")
                    #expect(done.exit == .exited(0), "\(done)")
                    try await Waiting.until("the missed order has its invoice", within: .seconds(60)) {
                        try await tenant.invoices(of: missed).count == 1
                    }
                    try await Waiting.until("no gap is counted any more", within: .seconds(60)) {
                        try await Self.gaps(stack) == 0
                    }
                    #expect(try await tenant.invoices(of: seen).count == 1, "what was taken in before stays as it is")
                    let again = try await Self.atrium(stack, "--context", "billing")
                    #expect(again.output.contains { $0.contains("nothing is missing") }, "\(again)")
                }
            }
        }
    }

    /// On a broker that goes with everything it holds: an order that Billing took in, and one that it did not.
    private func before(
        _ database: PostgresAddress
    ) async throws -> (tenant: Stack.Tenant, seen: String, missed: String) {
        let found = Found()
        try await Stack.with(database) { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register("refilled")
                let seen = try await tenant.fulfilledOrder()
                try await Waiting.until("the first order has its invoice", within: .seconds(60)) {
                    try await tenant.invoices(of: seen).count == 1
                }
                try await Waiting.until("Billing has written down how far it has come", within: .seconds(60)) {
                    try await stack.number("SELECT count(*) FROM billing.consumed WHERE next_offset > 0") > 0
                }
                await found.keep(tenant, seen)
            }
            guard let tenant = await found.tenant else { return }
            try await stack.serving(["--roles", "http,relay"]) { _ in
                let missed = try await tenant.fulfilledOrder()
                try await Waiting.until("the second order is published", within: .seconds(60)) {
                    try await stack.number(
                        """
                        SELECT count(*) FROM orders.outbox o JOIN orders.outbox_cursor c ON c.shard = o.shard
                        WHERE (o.transaction_id, o.position) > (c.transaction_id, c.position)
                        """) == 0
                }
                await found.keep(missed)
            }
        }
        return (try #require(await found.tenant), await found.seen, await found.missed)
    }

    private actor Found {
        var tenant: Stack.Tenant?
        var seen = ""
        var missed = ""

        func keep(_ tenant: Stack.Tenant, _ order: String) { (self.tenant, seen) = (tenant, order) }
        func keep(_ order: String) { missed = order }
    }
}
