import DevStack
import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import TestSupport
import Testing

/// What an operator sees of messages that were set aside, and does about them.
@Suite("Dead letters, for operators", .showsPrograms)
struct OperationsTests {
    /// An event of the tenant's order, as a faulty publisher might send it.
    private static func fulfilled(_ order: String, of tenant: Stack.Tenant, data: JSONValue) throws -> KafkaRecord {
        let headers = [
            "ce_specversion": "1.0", "ce_id": "\(IdentifierSource.system.next(EventID.self))",
            "ce_source": "/atrium/orders", "ce_type": "orders.order.fulfilled.v1", "ce_time": "2026-01-15T09:30:00Z",
            "ce_tenantid": tenant.id, "ce_correlationid": "\(IdentifierSource.system.next(EventID.self))",
            "content-type": "application/json",
        ]
        return KafkaRecord(
            topic: "orders.order", key: Array(order.utf8), value: Array(data.text.utf8),
            headers: headers.map { KafkaHeader(name: $0.key, value: Array($0.value.utf8)) })
    }

    private static func order(_ id: String, of tenant: Stack.Tenant) -> JSONValue {
        [
            "tenantId": .string(tenant.id), "orderId": .string(id),
            "customerId": "0198c0de-0000-7000-8000-0000000000cc", "currency": "EUR",
            "lines": [
                ["number": 1, "sku": "SEAT-PRO", "quantity": 3, "unitPriceMinor": 1250, "amountMinor": 3750]
            ], "totalMinor": 3750, "fulfilledAt": "2026-01-15T09:30:00Z",
        ]
    }

    private static func publish(_ records: [KafkaRecord], to stack: Stack) async throws {
        let producer = try KafkaProducer(
            KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), logger: .silent)
        for result in await producer.produce(records) { _ = try result.get() }
        await producer.close()
    }

    private static func atrium(
        _ stack: Stack, _ arguments: String...
    ) async throws -> (exit: ProgramExit, output: [String]) {
        let process = try await AtriumProcess.start(
            ["events", "dead-letters"] + arguments, environment: stack.environment(logLevel: "error"),
            readyWhen: .none)
        return (try await process.waitForExit(within: .seconds(60)), process.output)
    }

    @Test("a poisoned event parks its key alone; it is seen, tried, discarded with a reason, and what waits follows")
    func poisoned() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register("poisoned")
                let (bad, good) = (UUID().uuidString.lowercased(), UUID().uuidString.lowercased())
                try await Self.publish(
                    [
                        try Self.fulfilled(bad, of: tenant, data: ["tenantId": .string(tenant.id), "orderId": 7]),
                        try Self.fulfilled(bad, of: tenant, data: Self.order(bad, of: tenant)),
                        try Self.fulfilled(good, of: tenant, data: Self.order(good, of: tenant)),
                    ], to: stack)
                try await Waiting.until("the sound order has its invoice") {
                    try await tenant.invoices(of: good).count == 1
                }
                let operations = "/api/v1/operations"
                try await Waiting.until("both messages of the other are set aside") {
                    try await stack.asOperator.get("\(operations)/dead-letters?context=billing")["items"]?.array?.count
                        == 2
                }
                #expect(try await tenant.invoices(of: bad).isEmpty)

                // Over HTTP.
                let list = try await stack.asOperator.get(
                    "\(operations)/dead-letters?tenant=\(tenant.id)&key=\(bad)&context=billing")
                let letters = list["items"]?.array ?? []
                #expect(letters.map { $0["kind"]?.string } == ["rejected", "waiting"], "\(list)")
                #expect(letters.allSatisfy { $0["type"]?.string == "orders.order.fulfilled.v1" })
                let first = letters.first?["id"]?.string ?? ""
                #expect(
                    try await stack.asOperator.get("\(operations)/dead-letters?context=billing&kind=rejected&limit=1")[
                        "items"]?.array?.count == 1)
                #expect(
                    try await stack.asOperator.get("\(operations)/dead-letters?type=orders.order.placed.v1")["items"]?
                        .array?.isEmpty == true)
                let whole = try await stack.asOperator.get("\(operations)/dead-letters/\(first)")
                #expect(whole["data"]?.string?.contains("\"orderId\"") == true, "\(whole)")
                let parked = try await stack.asOperator.get("\(operations)/parked-keys?context=billing")
                #expect(parked["items"]?.array?.map { $0["key"]?.string } == [bad], "\(parked)")
                #expect(try await tenant.http.get("\(operations)/dead-letters").status == 401)

                // Tried without changing anything: the first fails, the second is not reached.
                let key: JSONValue = ["tenantId": .string(tenant.id), "topic": "orders.order", "key": .string(bad)]
                let trial = try await stack.asOperator.post(
                    "\(operations)/dead-letters/replay", json: ["context": "billing", "key": key, "dryRun": true])
                #expect(
                    trial["steps"]?.array?.map { $0["outcome"]?.string } == ["failed", "not_tried"], "\(trial)")
                let second = letters.last?["id"]?.string ?? ""
                let early = try await stack.asOperator.post(
                    "\(operations)/dead-letters/replay", json: ["context": "billing", "ids": [.string(second)]])
                #expect(early.status == 409, "\(early)")
                let neither = try await stack.asOperator.post(
                    "\(operations)/dead-letters/replay", json: ["context": "billing"])
                #expect(neither.status == 422, "\(neither)")

                // From the command line.
                let seen = try await Self.atrium(stack, "list", "--context", "billing", "--tenant", "poisoned")
                #expect(seen.output.count == 3, "\(seen)")
                let refused = try await Self.atrium(stack, "discard", "--tenant", "poisoned", "--reason", " ")
                #expect(!refused.exit.isSuccess)
                let rehearsed = try await Self.atrium(
                    stack, "replay", "--key", bad, "--dry-run", "--context", "billing")
                #expect(rehearsed.exit == .exited(1), "\(rehearsed)")
                let discarded = try await Self.atrium(
                    stack, "discard", first, "--reason", "a publisher's mistake", "--by", "ada")
                #expect(discarded.exit == .exited(0), "\(discarded)")
                let replayed = try await Self.atrium(stack, "replay", "--tenant", "poisoned", "--context", "billing")
                #expect(replayed.exit == .exited(0), "\(replayed)")
                #expect(replayed.output.contains { $0.contains("flow again") }, "\(replayed)")
                #expect(try await tenant.invoices(of: bad).count == 1)

                // What was done is on record, and the key's next events flow.
                let all = try await stack.asOperator.get(
                    "\(operations)/dead-letters?state=resolved&tenant=\(tenant.id)&context=billing")
                let resolutions = all["items"]?.array?.compactMap { $0["resolution"]?["by"]?.string } ?? []
                #expect(resolutions.contains("ada"), "\(all)")
                #expect(
                    try await stack.number(
                        "SELECT count(*) FROM billing.operator_actions WHERE reason = 'a publisher''s mistake'") == 1)
                #expect(
                    try await stack.asOperator.get("\(operations)/parked-keys")["items"]?.array?.isEmpty == true)
            }
        }
    }
}
