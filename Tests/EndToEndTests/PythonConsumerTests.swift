import DevStack
import Foundation
import Kafka
import Kernel
import Postgres
import TestSupport
import Testing

/// The example in Python as another team would run it: its own process, its own store, no code of ours.
@Suite("The consumer in Python", .showsPrograms)
struct PythonConsumerTests {
    private struct Ledger: Sendable {
        let stack: Stack
        let store: String

        private var environment: [String: String] {
            Program.plainEnvironment.merging(["ATRIUM_KAFKA": stack.broker.bootstrapServers]) { _, own in own }
        }

        private static let script = Places.packageRoot.appending(path: "examples/python-consumer/consumer.py").path()

        func run(_ arguments: [String]) async throws -> ProgramOutput {
            try await Python.run(
                script: Self.script, arguments + ["--store", store],
                environment: ["ATRIUM_KAFKA": stack.broker.bootstrapServers])
        }

        /// Runs until it is told to stop.
        func start() async throws -> ChildProcess {
            try await ChildProcess.start(
                Program(
                    try Python.interpreter(), [Self.script, "run", "--store", store], environment: environment,
                    workingDirectory: Places.packageRoot.path()))
        }

        func lines(_ command: String) async throws -> [JSONValue] {
            let output = try await run([command])
            #expect(output.status.isSuccess, "\(output)")
            return try output.output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        }
    }

    @Test("follows its own rules")
    func units() async throws {
        let tests = Places.packageRoot.appending(path: "examples/python-consumer/test_consumer.py").path()
        let output = try await Python.run(module: "unittest", [tests])
        #expect(output.status.isSuccess && output.errors.contains("OK"), "\(output)")
    }

    @Test("counts every order once, for its tenant, though it is killed in between and everything comes twice")
    func onceEach() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let folder = try await TestFolder.make()
                let ledger = Ledger(stack: stack, store: "\(folder.path)/ledger.sqlite")
                let tenants = [try await stack.register(), try await stack.register()]
                let first = try await ledger.start()
                // It is killed while orders come in, once it has taken in some of them.
                try await Self.place(20, by: tenants)
                try await Waiting.until("some orders were taken in", within: .seconds(60)) {
                    first.recentOutput.count { $0.hasPrefix("applied orders.order") } >= 5
                }
                first.send(SIGKILL)
                _ = try await first.waitForExit()
                try await Self.place(10, by: tenants)
                let called = try await tenants[0].openOrder(place: true)
                let cancelled = try await tenants[0].http.post(
                    "/api/v1/orders/\(called["id"]?.string ?? "")/cancel", json: ["reason": "ordered twice"],
                    headers: ["If-Match": called.headers["ETag"] ?? ""])
                #expect(cancelled.status == 200, "\(cancelled)")
                let events = try await Self.events(of: stack, orders: 61)
                try await Self.send(stack, events + Self.strangers(among: events, tenants.map(\.id)))

                let second = try await ledger.run(["run", "--idle", "3"])
                #expect(second.status.isSuccess, "\(second)")
                #expect(second.output.contains("known"), "\(second)")
                #expect(!second.errors.contains("Traceback") && !second.errors.contains("ALARM"), "\(second)")
                // Read in the first version alone, which only one of the strangers was.
                #expect(
                    second.errors.split(separator: "\n").count { $0.contains("published until 2027-06-01") } == 1,
                    "\(second)")

                let parked = try await ledger.lines("parked").compactMap { $0["reason"]?.string }
                #expect(parked.count == 2, "\(parked)")
                #expect(parked.contains { $0.contains("another tenant") } && parked.contains { $0.contains("v9") })
                var wanted: [String: Int] = [:]
                for tenant in tenants {
                    wanted[tenant.id] = try await stack.number(
                        """
                        SELECT count(*) FROM orders.orders WHERE tenant_id = \(tenant.id)::uuid AND state = 'placed'
                        """)
                }
                // The stranger in structured mode was an order of the first tenant.
                wanted[tenants[0].id, default: 0] += 1
                for total in try await ledger.lines("show") {
                    let tenant = total["tenant"]?.string ?? ""
                    #expect(total["orders"]?.int == wanted[tenant], "\(total)")
                    #expect(total["minor"]?.int == (wanted[tenant] ?? 0) * 13_650, "\(total)")
                    #expect(total["name"]?.string == "A tenant")
                }
                #expect(wanted.values.reduce(0, +) == 61)
                try await folder.remove()
            }
        }
    }

    @Test("stops at once when it is told to, and takes nothing twice afterwards")
    func stop() async throws {
        try await Stack.with { stack in
            try await stack.serving { _ in
                let folder = try await TestFolder.make()
                let ledger = Ledger(stack: stack, store: "\(folder.path)/ledger.sqlite")
                let tenant = try await stack.register()
                try await Self.place(3, by: [tenant])
                let running = try await ledger.start()
                try await Waiting.until("the orders were taken in", within: .seconds(60)) {
                    running.recentOutput.count { $0.hasPrefix("applied orders.order") } == 3
                }
                running.send(SIGTERM)
                #expect(try await running.waitForExitAndOutput() == .exited(0))
                #expect(running.recentOutput.last?.hasPrefix("4 applied") == true, "\(running.recentOutput)")
                try await Self.place(1, by: [tenant])
                let again = try await ledger.run(["run", "--idle", "3"])
                #expect(again.output.contains("\n1 applied, ") && again.output.contains(" 0 parked"), "\(again)")
                #expect(try await ledger.lines("show").first?["orders"]?.int == 4)
                try await folder.remove()
            }
        }
    }

    private static func place(_ count: Int, by tenants: [Stack.Tenant]) async throws {
        for tenant in tenants {
            for _ in 0..<count {
                let order = try await tenant.openOrder(place: true)
                guard order.status == 201 else { throw Unexpected(reply: order) }
            }
        }
    }

    /// What has been published of orders, once both versions of so many are there.
    private static func events(of stack: Stack, orders: Int) async throws -> [KafkaMessage] {
        let consumer = try KafkaConsumer(
            KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), group: "twice-\(UUID())",
            topics: ["orders.order"], logger: .silent)
        var messages: [KafkaMessage] = []
        while Set(messages.filter { type(of: $0).contains(".placed.") }.map { $0.header("ce_id") }).count < 2 * orders {
            let more = try await consumer.messages(maximum: 100)
            if more.isEmpty { break }
            messages += more
        }
        await consumer.close()
        return messages
    }

    private static func type(of message: KafkaMessage) -> String { message.header("ce_type") ?? "" }

    /// The same messages once more, and what no honest publisher sends.
    private static func send(_ stack: Stack, _ messages: [KafkaMessage]) async throws {
        let producer = try KafkaProducer(
            KafkaSettings(bootstrapServers: stack.broker.bootstrapServers), logger: .silent)
        let results = await producer.produce(
            messages.map { KafkaRecord(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers) })
        for result in results { _ = try result.get() }
        await producer.close()
    }

    /// An order under another tenant's name, one of an unknown version, one of an unknown fact, and a true one in
    /// structured mode.
    private static func strangers(among events: [KafkaMessage], _ tenants: [String]) throws -> [KafkaMessage] {
        let order = try #require(
            events.first { type(of: $0).hasSuffix("placed.v1") && $0.header("ce_tenantid") == tenants[0] })
        func changed(_ key: String, _ headers: [String: String], _ value: [UInt8]? = nil) -> KafkaMessage {
            let kept = order.headers.filter {
                headers[$0.name] == nil && !["ce_factid", "ce_alsoas", "ce_id"].contains($0.name)
            }
            let own = headers.merging(["ce_id": UUID().uuidString]) { own, _ in own }
            return KafkaMessage(
                topic: order.topic, partition: 0, offset: 0, key: Array(key.utf8), value: value ?? order.value,
                headers: kept + own.map { KafkaHeader(name: $0, value: Array($1.utf8)) }, timestamp: 0)
        }
        var data = try JSONValue(parsing: Data(order.value ?? [])).object ?? [:]
        data["orderId"] = .string(UUID().uuidString.lowercased())
        let structured: JSONValue = [
            "specversion": "1.0", "id": .string(UUID().uuidString), "source": "/atrium/orders",
            "type": "orders.order.placed.v1", "tenantid": .string(tenants[0]), "data": .object(data),
            "deprecated": true, "deprecationsunset": "2027-06-01T00:00:00Z",
        ]
        return [
            changed("1", ["ce_tenantid": tenants[1]]), changed("2", ["ce_type": "orders.order.placed.v9"]),
            changed("3", ["ce_type": "orders.order.painted.v1"]),
            KafkaMessage(
                topic: order.topic, partition: 0, offset: 0, key: Array("4".utf8), value: Array(structured.data),
                headers: [
                    KafkaHeader(name: "content-type", value: Array("application/cloudevents+json".utf8))
                ], timestamp: 0),
        ]
    }
}

extension KafkaMessage {
    fileprivate func header(_ name: String) -> String? {
        headers.first { $0.name == name }?.value.map { String(decoding: $0, as: UTF8.self) }
    }
}
