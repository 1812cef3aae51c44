import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("Replaying a span of a topic")
struct SpanReplayTests {
    private struct NotYet: Error {}

    /// Leaves a receipt for each effect, in the transaction of the inbox; `failing` numbers have none.
    private static func subscription(failing: Set<Int> = []) -> Subscription {
        .on(ThingHappenedV1.self, named: "CountThing") { event, transaction in
            if failing.contains(event.payload.number) { throw NotYet() }
            transaction.enqueue(
                CommandReceipt(
                    key: "\(event.payload.number)-\(UUID())", fingerprint: [], status: 200, headers: [], body: []),
                in: "billing")
        }
    }

    private static func effects(_ backbone: Backbone) async throws -> Int {
        Int(try await backbone.plane.asSuperuser("SELECT count(*) FROM billing.receipts")[0].decode(Int64.self))
    }

    /// Things 1 to `count` of one key, and one of another.
    private static func send(_ backbone: Backbone, _ count: Int, tenant: TenantID) async throws {
        let producer = try backbone.producer()
        let records = (1...count).map { record($0, key: "k", tenant) } + [record(100, key: "other", tenant)]
        for result in await producer.produce(records) { _ = try result.get() }
        await producer.close()
    }

    private static func record(
        _ number: Int, key: String, _ tenant: TenantID, type: String = ThingHappenedV1.type,
        source: String = "/atrium/orders"
    ) -> KafkaRecord {
        var headers = ReceivedEventTests.headers
        headers["ce_type"] = type
        headers["ce_source"] = source
        headers["ce_id"] = IdentifierSource.system.next(EventID.self).description
        headers["ce_tenantid"] = tenant.description
        return KafkaRecord(
            topic: ThingHappenedV1.topic, key: Array(key.utf8),
            value: Array(#"{"number":\#(number),"tenantId":"\#(tenant)"}"#.utf8),
            headers: headers.map { KafkaHeader(name: $0, value: Array($1.utf8)) }, partition: 0)
    }

    private static func replay(
        _ backbone: Backbone, _ range: Range<Int64>, failing: Set<Int> = [], isTrial: Bool = false
    ) async throws -> (tally: SpanReplay.Tally, failures: [SpanReplay.Failure]) {
        let reader = try KafkaReader(backbone.kafka, logger: .silent)
        var failures: [SpanReplay.Failure] = []
        do {
            let replay = SpanReplay(
                context: Backbone.billing, subscriptions: [subscription(failing: failing)],
                dataPlane: backbone.plane.dataPlane, logger: .silent)
            let partition = TopicPartition(topic: ThingHappenedV1.topic, partition: 0)
            let tally = try await replay.replay([partition: range], from: reader, isTrial: isTrial) {
                failures.append($0)
            }
            await reader.close()
            return (tally, failures)
        } catch {
            await reader.close()
            throw error
        }
    }

    @Test("takes exactly its messages, each once however often it is repeated")
    func once() async throws {
        try await Backbone.with { backbone in
            try await Self.send(backbone, 5, tenant: IdentifierSource.system.next())
            #expect(try await Self.replay(backbone, 1..<3).tally == .init(processed: 2))
            #expect(try await Self.effects(backbone) == 2)
            #expect(try await Self.replay(backbone, 0..<6).tally == .init(processed: 4, duplicates: 2))
            #expect(try await Self.replay(backbone, 0..<6).tally == .init(duplicates: 6))
            #expect(try await Self.effects(backbone) == 6)
            #expect(try await Self.replay(backbone, 3..<3).tally == .init())
        }
    }

    @Test("says in a trial what would happen, and leaves nothing behind")
    func trial() async throws {
        try await Backbone.with { backbone in
            try await Self.send(backbone, 3, tenant: IdentifierSource.system.next())
            _ = try await Self.replay(backbone, 0..<1)
            let trial = try await Self.replay(backbone, 0..<4, failing: [100], isTrial: true)
            #expect(trial.tally == .init(processed: 2, duplicates: 1, failed: 1))
            #expect(try await Self.effects(backbone) == 1)
            #expect(try await Self.replay(backbone, 0..<4).tally == .init(processed: 3, duplicates: 1))
        }
    }

    @Test("holds the later messages of a key back behind one that fails, and no other key's")
    func order() async throws {
        try await Backbone.with { backbone in
            try await Self.send(backbone, 4, tenant: IdentifierSource.system.next())
            let failed = try await Self.replay(backbone, 0..<5, failing: [2])
            #expect(failed.tally == .init(processed: 2, failed: 1, heldBack: 2))
            #expect(failed.failures.map(\.message.offset) == [1])
            #expect(try await Self.replay(backbone, 0..<5).tally == .init(processed: 3, duplicates: 2))
        }
    }

    @Test("passes over what nothing reacts to, and refuses what comes from elsewhere or is no event")
    func strangers() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let producer = try backbone.producer()
            let records = [
                Self.record(1, key: "a", tenant, type: "orders.thing.unheard-of.v1"),
                Self.record(2, key: "b", tenant, source: "/somebody/else"),
                KafkaRecord(topic: ThingHappenedV1.topic, key: Array("c".utf8), value: nil, partition: 0),
                Self.record(3, key: "d", tenant),
            ]
            for result in await producer.produce(records) { _ = try result.get() }
            await producer.close()
            let replay = try await Self.replay(backbone, 0..<4)
            #expect(replay.tally == .init(processed: 1, ignored: 1, failed: 2))
            #expect(replay.failures.first?.reason.contains("comes from /atrium/orders") == true)
            #expect(try await Self.effects(backbone) == 1)
        }
    }
}
