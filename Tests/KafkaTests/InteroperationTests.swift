import Foundation
import Kafka
import Testing

@Suite("Other programs and the embedded broker")
struct InteroperationTests {
    @Test("kcat reads what the producer sends", .enabled(if: ExternalProgram.exists("kcat")))
    func kcatReads() async throws {
        try await withBroker(TopicSpec("t", partitions: 1)) { broker, settings, log in
            try await withProducer(settings, log) { producer in
                let record = KafkaRecord(
                    topic: "t", key: bytes("key"), value: bytes("välue"),
                    headers: [KafkaHeader(name: "ce_id", value: bytes("7"))])
                #expect(await producer.produce([record]).failures.isEmpty)
            }
            let output = try await ExternalProgram.run(
                "kcat", ["-C", "-b", broker.bootstrapServers, "-t", "t", "-c", "1", "-f", "%k|%s|%h\\n"])
            #expect(output.lines == ["key|välue|ce_id=7"], "\(output)")
        }
    }

    @Test("the consumer reads what kcat sends", .enabled(if: ExternalProgram.exists("kcat")))
    func kcatWrites() async throws {
        try await withBroker(TopicSpec("t", partitions: 1)) { broker, settings, log in
            let output = try await ExternalProgram.run(
                "kcat", ["-P", "-b", broker.bootstrapServers, "-t", "t", "-K", "|", "-H", "a=b"],
                input: "k1|v1\nk2|v2\n")
            #expect(output.status == 0, "\(output)")
            let messages = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(2) }
            #expect(messages.map { text($0.key) } == ["k1", "k2"])
            #expect(messages.map { text($0.value) } == ["v1", "v2"])
            #expect(messages[0].headers == [KafkaHeader(name: "a", value: bytes("b"))])
        }
    }

    @Test("the example in Python prints each event as JSON")
    func pythonJSON() async throws {
        try await withBroker { broker, settings, log in
            try await publishEvents(settings, log)
            let output = try await ExternalProgram.run(
                ExternalProgram.python, [ExternalProgram.consumerScript, "--from-beginning", "--max", "3", "--json"],
                environment: ["ATRIUM_KAFKA": broker.bootstrapServers])
            #expect(output.status == 0, "\(output)")
            let events = try output.lines.map {
                try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(
                Set(events.compactMap { $0["type"] as? String }) == [
                    "identity.tenant.registered.v1", "orders.order.placed.v1",
                ])
            #expect(events.filter { $0["tenant"] as? String == "tenant-a" }.count == 2)
            #expect(events.allSatisfy { ($0["data"] as? [String: Any])?["täg"] as? Int == 1 })
        }
    }

    @Test("the example in Python prints a table by tenant, and ends cleanly when interrupted")
    func pythonTable() async throws {
        try await withBroker { broker, settings, log in
            try await publishEvents(settings, log)
            let output = try await ExternalProgram.run(
                ExternalProgram.python, [ExternalProgram.consumerScript, "--from-beginning"],
                environment: ["ATRIUM_KAFKA": broker.bootstrapServers], onFirstLine: { $0.interrupt() })
            #expect(output.status == 0, "\(output)")
            #expect(!output.errors.contains("Traceback"), "\(output)")
            #expect(output.lines.contains { $0.hasPrefix("tenant-") && $0.hasSuffix(" events") }, "\(output)")
        }
    }

    @Test("the example in Python says what to do where no broker is known")
    func pythonWithoutBroker() async throws {
        let output = try await within(.seconds(30)) {
            try await ExternalProgram.run(
                "/usr/bin/env", ["-C", "/", ExternalProgram.python, ExternalProgram.consumerScript],
                environment: ["ATRIUM_KAFKA": ""])
        }
        #expect(output.status == 1)
        #expect(output.errors.contains("make run"))
    }

    private func publishEvents(_ settings: KafkaSettings, _ log: LogRecorder) async throws {
        func event(_ topic: String, _ type: String, tenant: String) -> KafkaRecord {
            KafkaRecord(
                topic: topic, key: bytes("k"), value: bytes(#"{"täg": 1}"#),
                headers: [
                    KafkaHeader(name: "ce_type", value: bytes(type)),
                    KafkaHeader(name: "ce_tenantid", value: bytes(tenant)),
                ])
        }
        let failures = try await withProducer(settings, log) { producer in
            await producer.produce([
                event("identity.tenant", "identity.tenant.registered.v1", tenant: "tenant-a"),
                event("orders.order", "orders.order.placed.v1", tenant: "tenant-a"),
                event("orders.order", "orders.order.placed.v1", tenant: "tenant-b"),
            ]).failures
        }
        #expect(failures.isEmpty)
    }
}
