import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("A partition of which the broker lost something")
struct GapTests {
    private static func gaps(_ backbone: Backbone) -> StreamGaps {
        StreamGaps(schema: "billing", dataPlane: backbone.plane.dataPlane, logger: .silent)
    }

    /// Takes in what there is until so many effects have been seen, and stops.
    private static func takeIn(_ backbone: Backbone, _ count: Int) async throws {
        try await Reactions.consuming(backbone, [Reactions.subscription()]) {
            try await Waiting.until("\(count) took effect", within: .seconds(45)) {
                try await Reactions.effects(backbone) == count
            }
            try await known(backbone)
        }
    }

    private static func known(_ backbone: Backbone) async throws {
        try await Waiting.until("all partitions are in the books", within: .seconds(45)) {
            try await backbone.plane.asSuperuser("SELECT count(*) FROM billing.consumed")[0].decode(Int64.self) == 4
        }
    }

    /// The partition that has a key's records, and how many it has.
    private static func partition(_ backbone: Backbone) async throws -> (source: TopicPartition, next: Int64) {
        let rows = try await backbone.plane.asSuperuser(
            "SELECT topic, partition, next_offset FROM billing.consumed ORDER BY next_offset DESC")
        let (topic, partition, next) = try rows[0].decode((String, Int32, Int64).self)
        return (TopicPartition(topic: topic, partition: partition), next)
    }

    @Test("is held back with an alarm when the broker comes back empty, and goes on where it is told")
    func emptyBroker() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(backbone, (1...5).map { Reactions.record($0, tenant: tenant, key: "a") })
            try await Self.takeIn(backbone, 5)
            let (source, next) = try await Self.partition(backbone)
            #expect(next == 5)

            let other = try EmbeddedBroker(topics: [TopicSpec(ThingHappenedV1.topic, partitions: 4)], logger: .silent)
            let anew = Backbone(
                plane: backbone.plane, broker: other, kafka: KafkaSettings(bootstrapServers: other.bootstrapServers),
                outbox: backbone.outbox, signal: backbone.signal)
            do {
                // More than there were: an offset that would fit is no proof.
                try await Reactions.send(anew, (11...18).map { Reactions.record($0, tenant: tenant, key: "a") })
                let records = Mutex<[String]>([])
                try await Reactions.consuming(anew, [Reactions.subscription()]) {
                    let gap = try await Waiting.value("the gap was noticed", within: .seconds(45)) {
                        try await Self.gaps(backbone).open().first { $0.source == source }
                    }
                    #expect(gap.expected == 5 && gap.available == 0..<8)
                    records.withLock { $0.append(gap.cause) }
                    #expect(try await Reactions.effects(backbone) == 5)
                    #expect(try await Self.gaps(backbone).resolve(gap.id, resumeAt: 2, by: "operator:ann"))
                    // The other partitions may have held something that was never read.
                    let others = try await Waiting.value("so were those of the others", within: .seconds(45)) {
                        let open = try await Self.gaps(backbone).open()
                        return open.count == 3 ? open : nil
                    }
                    for gap in others {
                        _ = try await Self.gaps(backbone).resolve(gap.id, resumeAt: 0, by: "operator:ann")
                    }
                    try await Waiting.until("it went on behind the gap", within: .seconds(45)) {
                        try await Reactions.effects(backbone) == 11
                    }
                }
                #expect(try await Self.gaps(backbone).open().isEmpty)
                // The next process knows nothing of a gap any more.
                try await Reactions.send(anew, [Reactions.record(19, tenant: tenant, key: "a")])
                try await Self.takeIn(anew, 12)
            } catch {
                await other.close()
                throw error
            }
            await other.close()
        }
    }

    @Test("does not keep the other partitions waiting")
    func others() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(
                backbone, (0..<40).map { Reactions.record($0, tenant: tenant, key: "key \($0)") })
            // As if the books of one partition came from a longer log.
            _ = try await backbone.plane.asSuperuser(
                "INSERT INTO billing.consumed (topic, partition, next_offset) VALUES ('orders.thing', 2, 1000)")
            let consumer = Mutex(0)
            try await Reactions.consuming(backbone, [Reactions.subscription { _ in consumer.withLock { $0 += 1 } }]) {
                try await Waiting.until("the gap was noticed", within: .seconds(45)) {
                    try await !Self.gaps(backbone).open().isEmpty
                }
                try await Waiting.until("the other partitions are through", within: .seconds(45)) {
                    try await backbone.plane.asSuperuser(
                        "SELECT count(*) FROM billing.consumed WHERE partition <> 2 AND next_offset > 0"
                    )[0].decode(Int64.self) == 3
                }
            }
            let gaps = try await Self.gaps(backbone).open()
            #expect(gaps.map(\.source.partition) == [2])
            #expect(consumer.withLock { $0 } < 40)
        }
    }

    @Test("stays held back in the next process, and where what it should go on from is gone as well")
    func unresolved() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            @Sendable func send(_ number: Int, to partition: Int32) async throws {
                var record = Reactions.record(number, tenant: tenant, key: "partition \(partition)")
                record.partition = partition
                try await Reactions.send(backbone, [record])
            }
            @Sendable func effects(are count: Int) async throws {
                try await Waiting.until("\(count) took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == count
                }
            }
            // As if the books of one partition came from a longer log.
            try await backbone.plane.asSuperuser(
                "INSERT INTO billing.consumed (topic, partition, next_offset) VALUES ('orders.thing', 2, 1000)")
            try await send(1, to: 2)
            try await send(2, to: 1)
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await effects(are: 1)
                try await Waiting.until("the gap was noticed", within: .seconds(45)) {
                    try await Self.gaps(backbone).open().map(\.source.partition) == [2]
                }
            }
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                // Partitions are begun with together: two from another one leave time for one of this.
                for number in 3...4 {
                    try await send(number, to: 1)
                    try await effects(are: number - 1)
                }
                let gap = try #require(try await Self.gaps(backbone).open().first)
                #expect(try await Self.gaps(backbone).resolve(gap.id, resumeAt: 500, by: "operator:ann"))
                try await Waiting.until("the gap is open again, since there is no such offset", within: .seconds(45)) {
                    try await Self.gaps(backbone).open().map(\.id) == [gap.id]
                }
                #expect(try await Reactions.effects(backbone) == 3, "nothing of the partition was read")
                #expect(try await Self.gaps(backbone).resolve(gap.id, resumeAt: 0, by: "operator:ann"))
                try await effects(are: 4)
            }
            #expect(try await Self.gaps(backbone).open().isEmpty)
        }
    }

    @Test("is noticed also where nothing had been taken in from it before")
    func nothingTakenIn() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Self.takeIn(backbone, 0)
            // Nothing was there, and nothing is missing.
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant, key: "a")])
            try await Self.takeIn(backbone, 1)
            #expect(try await Self.gaps(backbone).open().isEmpty)
            let (source, _) = try await Self.partition(backbone)
            let other = (source.partition + 1) % 4

            // The embedded broker keeps about 5 MB of a partition.
            try await Self.flood(backbone, other)
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                let gap = try await Waiting.value("the gap was noticed", within: .seconds(45)) {
                    try await Self.gaps(backbone).open().first
                }
                #expect(gap.source.partition == other)
                #expect(gap.expected == 0 && gap.available.lowerBound > 0)
            }
        }
    }

    @Test("is noticed also where it goes while the partition is being read")
    func goesMeanwhile() async throws {
        try await Backbone.with { backbone in
            let gate = ParallelTests.Gate()
            var record = Reactions.record(1, tenant: IdentifierSource.system.next(), key: "a")
            record.partition = 1
            try await Reactions.send(backbone, [record])
            var configuration = ReactionConsumer.Configuration()
            // The partition is paused behind its first message, so that the next is not read before it goes.
            configuration.window = 1
            let holding = Reactions.subscription { _ in await gate.pass() }
            try await Reactions.consuming(backbone, [holding], configuration: configuration) {
                defer { gate.open() }
                try await Waiting.until("the first is being worked on", within: .seconds(45)) { gate.count == 1 }
                try await Self.flood(backbone, 1)
                gate.open()
                let gap = try await Waiting.value("the gap was noticed", within: .seconds(45)) {
                    try await Self.gaps(backbone).open().first
                }
                #expect(gap.source.partition == 1 && gap.available.lowerBound > 1)
            }
            #expect(try await Reactions.effects(backbone) == 1)
            #expect(try await Reactions.letters(backbone).isEmpty, "nothing behind the gap was read")
        }
    }

    private static func flood(_ backbone: Backbone, _ partition: Int32) async throws {
        var settings = backbone.kafka
        settings.properties["compression.type"] = "none"
        let producer = try KafkaProducer(settings, logger: .silent)
        for _ in 0..<8 {
            let record = KafkaRecord(
                topic: ThingHappenedV1.topic, value: [UInt8](repeating: 0, count: 900_000), partition: partition)
            _ = await producer.produce([record])
        }
        await producer.close()
    }

    @Test("may be told of by mistake: where nothing is missing, reading goes on")
    func disowned() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant, key: "a")])
            let consumer = try Reactions.consumer(backbone)
            try await Reactions.consuming(backbone, [Reactions.subscription()], consumer: consumer) {
                try await Waiting.until("the first took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 1
                }
                // Kafka's error 1: the offset is out of range.
                backbone.broker.fail(.fetch, with: [KafkaError.Code(rawValue: 1)])
                try await Waiting.until("reading was refused", within: .seconds(45)) { consumer.statistics.errors > 0 }
                try await Reactions.send(backbone, [Reactions.record(2, tenant: tenant, key: "a")])
                try await Waiting.until("the second took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 2
                }
            }
            #expect(try await Self.gaps(backbone).open().isEmpty)
        }
    }

    @Test("is none for a group that has never read anything, nor for one that comes again")
    func fresh() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            try await Reactions.send(backbone, [Reactions.record(1, tenant: tenant, key: "a")])
            try await Self.takeIn(backbone, 1)
            try await Reactions.send(backbone, [Reactions.record(2, tenant: tenant, key: "a")])
            try await Self.takeIn(backbone, 2)
            #expect(try await Self.gaps(backbone).open().isEmpty)
        }
    }
}
