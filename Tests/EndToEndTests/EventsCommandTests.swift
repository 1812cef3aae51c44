import DevStack
import Foundation
import Kafka
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("The commands on events", .showsPrograms)
struct EventsCommandTests {
    private static func committed(_ stack: Stack, by group: String = "atrium.billing") async throws -> [Int64?] {
        let admin = try KafkaAdmin(KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), logger: .silent)
        let lag = try await admin.lag(of: group, topics: ["orders.order"])
        await admin.close()
        return lag.sorted { $0.source.partition < $1.source.partition }.map(\.committed)
    }

    @Test("follow what one tenant's orders tell, from the beginning or from now on, and end on Ctrl-C")
    func tail() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let other = try await stack.register()
                _ = try await other.openOrder(place: true)
                let order = try await tenant.fulfilledOrder()
                _ = try await Waiting.value("the invoice") { try await tenant.invoices(of: order).first }
                let environment = stack.environment()

                let told = try await AtriumRun.run(
                    [
                        "events", "tail", "--tenant", tenant.id, "--type", "orders.order.*", "--from", "beginning",
                        "--limit",
                        "3",
                    ], environment: environment)
                #expect(told.exit == .exited(0) && told.lines.count == 3, "\(told.lines)")
                #expect(
                    told.lines.allSatisfy {
                        $0.contains("\t\(tenant.id)\torders.order.") && $0.contains("\t\(order)\t")
                    })
                let json = try await AtriumRun.run(
                    ["events", "tail", "--context", "billing", "--from", "beginning", "--limit", "1", "--json"],
                    environment: environment)
                let line = try JSONValue(parsing: Data((json.lines.first ?? "").utf8))
                #expect(
                    line["topic"] == "billing.invoice" && line["data"]?["orderId"] == .string(order), "\(json.lines)")

                let following = try await AtriumProcess.start(
                    ["events", "tail", "--type", "orders.order.placed.v1", "--tenant", tenant.id],
                    environment: environment, readyWhen: .none)
                // An order that comes before it is ready is not shown: one after the other until one is.
                let shown = try await Waiting.value(
                    "an order is shown", within: .seconds(30), every: .milliseconds(300)
                ) {
                    _ = try await tenant.openOrder(place: true)
                    return following.output.first { $0.contains("\torders.order.placed.v1\t") }
                }
                #expect(shown.contains(tenant.id))
                following.send(SIGINT)
                #expect(try await following.waitForExit() == .exited(0), "\(following.output)")
                let own = try await Self.committed(stack, by: "atrium-reader")
                #expect(own.count == 4 && own.allSatisfy { $0 == nil })
            }
        }
    }

    @Test("take a span of a topic through a context again, each effect once, beside the live group")
    func replay() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let tenant = try await stack.register()
                let order = try await tenant.fulfilledOrder()
                _ = try await Waiting.value("the invoice") { try await tenant.invoices(of: order).first }
                // Placed, in two versions, approved, fulfilled. The group has committed all of the topic, so that nothing
                // moves by itself any more.
                try await Waiting.until("the offsets are committed", within: .seconds(30)) {
                    try await Self.committed(stack).compactMap { $0 }.reduce(0, +) == 4
                }
                let before = try await Self.committed(stack)
                @Sendable func run(_ arguments: String...) async throws -> AtriumRun {
                    try await AtriumRun.run(
                        ["events", "replay", "--context", "billing", "--topic", "orders.order"] + arguments,
                        environment: stack.environment())
                }

                let duplicate = try await run("--from", "beginning")
                #expect(
                    duplicate.exit == .exited(0) && duplicate.has("4 messages in 1 partitions"), "\(duplicate.lines)")
                #expect(duplicate.has("0 processed, 1 duplicate, 3 without a reaction, 0 failed"), "\(duplicate.lines)")

                // As after an effect that was lost with its inbox row.
                try await stack.execute("DELETE FROM billing.inbox")
                try await stack.execute("DELETE FROM billing.invoice_lines")
                try await stack.execute("DELETE FROM billing.invoices")
                let trial = try await run("--from", "2026-01-01T00:00:00Z", "--dry-run")
                #expect(trial.exit == .exited(0) && trial.has("1 would be processed, 0 duplicate"), "\(trial.lines)")
                #expect(try await tenant.invoices(of: order).isEmpty)
                let none = try await run("--from", "2099-01-01T00:00:00Z")
                #expect(none.exit == .exited(0) && none.has("0 messages in 0 partitions"), "\(none.lines)")
                let again = try await run("--from", "2026-01-01T00:00:00Z")
                #expect(again.exit == .exited(0) && again.has("1 processed, 0 duplicate"), "\(again.lines)")
                #expect(try await tenant.invoices(of: order).count == 1)
                #expect(try await run("--from", "beginning").has("0 processed, 1 duplicate"))
                #expect(try await Self.committed(stack) == before)

                let partition = try #require(before.firstIndex { $0 == 4 })
                let bounded = try await run("--from", "\(partition):1", "--until", "\(partition):2")
                #expect(bounded.has("1 messages in 1 partitions"), "\(bounded.lines)")
                let unknown = try await run("--from", "99:0")
                #expect(unknown.exit != .exited(0) && unknown.has("there is no partition 99"), "\(unknown.lines)")
                let twice = try await run("--from", "0:1", "--from", "beginning")
                #expect(twice.exit != .exited(0) && twice.has("only partition:offset"), "\(twice.lines)")
                let leftOut = try await run("--from", "0:1", "--until", "0:2", "--until", "1:2")
                #expect(
                    leftOut.exit != .exited(0) && leftOut.has("--until names partition 1"), "\(leftOut.lines)")
                let nonsense = try await run("--from", "yesterday")
                #expect(
                    nonsense.exit != .exited(0) && nonsense.has("yesterday is none of beginning"), "\(nonsense.lines)")
                let elsewhere = try await AtriumRun.run(
                    ["events", "replay", "--context", "orders", "--topic", "billing.invoice", "--from", "beginning"],
                    environment: stack.environment())
                #expect(elsewhere.exit != .exited(0) && elsewhere.has("reacts to nothing on billing.invoice"))
            }
        }
    }

    @Test("show what strangers wrote without letting it move the cursor")
    func strangers() async throws {
        try await Stack.with { stack in
            let producer = try KafkaProducer(
                KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), logger: .silent)
            let hostile = "\u{1B}[2J\u{9B}31mred\r\n\u{202E}back"
            let results = await producer.produce([
                KafkaRecord(
                    topic: "orders.order", key: Array(hostile.utf8), value: Array(hostile.utf8),
                    headers: [KafkaHeader(name: "ce_type", value: Array(hostile.utf8))])
            ])
            await producer.close()
            #expect(results.allSatisfy { if case .success = $0 { true } else { false } })
            for format in [[], ["--json"]] {
                let told = try await AtriumRun.run(
                    ["events", "tail", "--from", "beginning", "--limit", "1"] + format, environment: stack.environment()
                )
                #expect(told.exit == .exited(0) && told.lines.count == 1, "\(told.lines)")
                let line = told.lines.first ?? ""
                #expect(line.contains("red") && line.contains("back"))
                #expect(
                    !line.unicodeScalars.contains {
                        $0.value < 9 || $0 == "\u{1B}" || $0 == "\u{9B}" || $0 == "\u{202E}"
                    })
                if !format.isEmpty { #expect(try JSONValue(parsing: Data(line.utf8))["data"] == .string(hostile)) }
            }
        }
    }
}
