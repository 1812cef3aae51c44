import Kafka
import TestSupport
import Testing

@Suite("A producer")
struct ProducerTests {
    private let topic = TopicSpec("t", partitions: 1)

    @Test("keeps nothing, empty and something apart in keys, values and headers")
    func roundTrip() async throws {
        try await withBroker(topic) { _, settings, log in
            let headers = [
                KafkaHeader(name: "text", value: bytes("täxt")), KafkaHeader(name: "empty", value: []),
                KafkaHeader(name: "none", value: nil), KafkaHeader(name: "text", value: bytes("again")),
            ]
            let records = [
                KafkaRecord(topic: "t", key: bytes("k"), value: bytes("v"), headers: headers),
                KafkaRecord(topic: "t", key: [], value: []),
                KafkaRecord(topic: "t", key: nil, value: nil),
                KafkaRecord(topic: "t", key: [0, 255], value: [0, 1, 0]),
            ]
            let results = try await withProducer(settings, log) { await $0.produce(records) }
            #expect(results.deliveries.map(\.offset) == [0, 1, 2, 3])
            let messages = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(records.count) }
            #expect(messages.map(\.key) == records.map(\.key))
            #expect(messages.map(\.value) == records.map(\.value))
            #expect(messages.map(\.headers) == records.map(\.headers))
            #expect(messages.map(\.offset) == [0, 1, 2, 3])
            #expect(messages.allSatisfy { $0.timestamp > 1_700_000_000_000 })
        }
    }

    @Test("keeps the order of a partition with thousands of records under way")
    func order() async throws {
        try await withBroker(topic) { broker, settings, log in
            try broker.setLatency(.milliseconds(20))
            try await withProducer(settings, log) { producer in
                let results = await producer.produce(numbered(0..<20_000, topic: "t"))
                #expect(results.failures.isEmpty)
                #expect(producer.statistics.delivered == 20_000)
                #expect(producer.statistics.inFlight == 0)
            }
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let messages = try await consumer.read(20_000)
                #expect(messages.map(\.number) == Array(0..<20_000))
            }
        }
    }

    @Test("sends one key to one partition, the one that Java's clients would take")
    func partitioner() async throws {
        try await withBroker(TopicSpec("t", partitions: 12)) { _, settings, log in
            try await withProducer(settings, log) { producer in
                let keys = ["a", "b", "c"]
                let results = await producer.produce(
                    keys.map { KafkaRecord(topic: "t", key: bytes($0), value: []) })
                // Math.abs(murmur2(key)) mod 12, from Kafka's own org.apache.kafka.common.utils.Utils.
                #expect(results.deliveries.map(\.partition) == keys.map { murmur2Partition($0, of: 12) })
            }
        }
    }

    @Test("waits while the local queue is full, and goes on when reports make room")
    func backPressure() async throws {
        try await withBroker(topic) { _, settings, log in
            var settings = settings
            settings.queuedRecords = 10
            try await withProducer(settings, log) { producer in
                let results = await producer.produce(numbered(0..<1000, topic: "t"))
                #expect(results.failures.isEmpty)
                #expect(producer.statistics.queueFullWaits > 10)
            }
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let numbers = try await consumer.read(1000).map(\.number)
                #expect(numbers == Array(0..<1000))
            }
        }
    }

    @Test("serves all who wait for room in the queue")
    func backPressureOfMany() async throws {
        try await withBroker(TopicSpec("t", partitions: 8)) { _, settings, log in
            var settings = settings
            settings.queuedRecords = 7
            try await withProducer(settings, log) { producer in
                await withTaskGroup(of: Int.self) { group in
                    for lane in 0..<8 {
                        group.addTask {
                            await producer.produce(numbered(0..<200, topic: "t", partition: Int32(lane))).failures.count
                        }
                    }
                    for await failures in group { #expect(failures == 0) }
                }
                #expect(producer.statistics.delivered == 1600)
            }
        }
    }

    @Test("loses nothing and keeps the order over a broker that goes down and comes back")
    func brokerDown() async throws {
        try await withBroker(topic) { broker, settings, log in
            try await withProducer(settings, log) { producer in
                let (batches, progress) = AsyncStream.makeStream(of: Int.self)
                async let failures = {
                    var failures = 0
                    for batch in 0..<40 {
                        progress.yield(batch)
                        let numbers = batch * 250..<(batch + 1) * 250
                        failures += await producer.produce(numbered(numbers, topic: "t")).failures.count
                    }
                    progress.finish()
                    return failures
                }()
                for await batch in batches where batch == 10 {
                    // In the middle of requests, so that some are answered and some are not.
                    try broker.setLatency(.milliseconds(5))
                    try broker.setDown(true)
                    _ = try await log.line("trouble with Kafka")
                    try broker.setDown(false)
                }
                #expect(await failures == 0)
                #expect(producer.statistics.errors > 0)
            }
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                // A broker knows a record that is sent again by its sequence number; the embedded one does not, and what
                // it had taken when the connection broke is there twice, in order both times.
                var numbers: [Int?] = []
                while numbers.last != 9999 { numbers += try await consumer.messages(maximum: 1000).map(\.number) }
                #expect(firsts(of: numbers) == Array(0..<10_000))
            }
        }
    }

    @Test("tries again by itself what the broker could not take this time")
    func retriableError() async throws {
        try await withBroker(topic) { broker, settings, log in
            broker.fail(.produce, with: [.notEnoughReplicas, .notLeader, .connectionLost])
            try await withProducer(settings, log) { producer in
                #expect(await producer.produce(numbered(0..<2000, topic: "t")).failures.isEmpty)
            }
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let numbers = try await consumer.read(2000).map(\.number)
                #expect(numbers == Array(0..<2000))
            }
        }
    }

    @Test("refuses for good what can never be sent, and sends the rest")
    func refusals() async throws {
        try await withBroker(topic) { broker, settings, log in
            try await withProducer(settings, log) { producer in
                var records = numbered(0..<6, topic: "t")
                records[1].value = [UInt8](repeating: 0, count: 2_000_000)
                records[2].topic = ""
                records[3].topic = "t\0x"
                records[4].partition = 99
                let results = await producer.produce(records)
                #expect(
                    results.failures.map(\.code) == [
                        .messageTooLarge, .invalidArgument, .invalidArgument, .unknownPartition,
                    ])
                #expect(results.failures.allSatisfy { !$0.isRetriable })
                #expect(results.deliveries.map(\.offset) == [0, 1])
                #expect(producer.statistics.failed == 4)
            }
        }
    }

    @Test("refuses for good what the broker calls too large")
    func refusedByBroker() async throws {
        try await withBroker(topic) { broker, settings, log in
            try await withProducer(settings, log) { producer in
                _ = await producer.produce(numbered(0..<1, topic: "t"))
                broker.fail(.produce, with: [.messageTooLarge])
                let refused = await producer.produce(numbered(1..<2, topic: "t")).failures
                #expect(refused.map(\.code) == [.messageTooLarge])
                #expect(refused.map(\.isRetriable) == [false])
                #expect(await producer.produce(numbered(2..<3, topic: "t")).failures.isEmpty)
            }
        }
    }

    @Test("does not wait for room that a record larger than the whole queue will never find")
    func largerThanQueue() async throws {
        try await withBroker(topic) { _, settings, log in
            var settings = settings
            settings.queuedKilobytes = 1
            try await withProducer(settings, log) { producer in
                var records = numbered(0..<3, topic: "t")
                records[1].value = [UInt8](repeating: 0, count: 5000)
                let results = await producer.produce(records)
                #expect(results.failures.map(\.code) == [.largerThanQueue])
                #expect(results.deliveries.map(\.offset) == [0, 1])
            }
        }
    }

    @Test("starts afresh after a fatal error, which fails what was under way as retriable")
    func fatalError() async throws {
        try await withBroker(topic) { broker, settings, log in
            try await withProducer(settings, log) { producer in
                broker.fail(.produce, with: [.outOfOrderSequence])
                let failures = await producer.produce(numbered(0..<10, topic: "t")).failures
                #expect(failures.count == 10)
                #expect(failures.allSatisfy { $0.isRetriable })
                _ = try await log.line("producer started afresh")
                #expect(await producer.produce(numbered(0..<10, topic: "t")).failures.isEmpty)
                #expect(producer.statistics.restarts == 1)
            }
        }
    }

    @Test("fails records whose time is up, where they are given a time")
    func deliveryTimeout() async throws {
        try await withBroker(topic) { broker, settings, log in
            var settings = settings
            settings.deliveryTimeout = .milliseconds(300)
            try broker.setDown(true)
            try await withProducer(settings, log) { producer in
                let failures = await producer.produce(numbered(0..<3, topic: "t")).failures
                #expect(failures.map(\.code) == [.recordTimedOut, .recordTimedOut, .recordTimedOut])
                #expect(failures.allSatisfy { $0.isRetriable })
            }
        }
    }

    @Test("lets a cancelled caller go at once, and nobody else")
    func cancellation() async throws {
        try await withBroker(topic) { broker, settings, log in
            try broker.setDown(true)
            try await withProducer(settings, log) { producer in
                async let neighbour = producer.produce(numbered(0..<5, topic: "t"))
                let cancelled = Task { await producer.produce(numbered(5..<10, topic: "t")) }
                try await Waiting.until("ten records are under way") { producer.statistics.inFlight >= 10 }
                cancelled.cancel()
                #expect(await cancelled.value.failures.map(\.code) == Array(repeating: .cancelled, count: 5))
                try broker.setDown(false)
                #expect(await neighbour.failures.isEmpty)
            }
        }
    }

    @Test("lets a caller go at once that waits for room in the queue")
    func cancellationInLine() async throws {
        try await withBroker(topic) { broker, settings, log in
            var settings = settings
            settings.queuedRecords = 2
            try broker.setDown(true)
            try await withProducer(settings, log) { producer in
                let cancelled = Task { await producer.produce(numbered(0..<10, topic: "t")) }
                try await Waiting.until("the queue is full") { producer.statistics.queueFullWaits >= 1 }
                let behind = Task { await producer.produce(numbered(10..<12, topic: "t")) }
                cancelled.cancel()
                #expect(await cancelled.value.failures.count == 10)
                try broker.setDown(false)
                #expect(await behind.value.failures.isEmpty)
            }
        }
    }

    @Test("closes within its time while the broker is away, and says that the records are not delivered")
    func closeIsBounded() async throws {
        try await withBroker(topic) { broker, settings, log in
            var settings = settings
            settings.closeTimeout = .milliseconds(300)
            try broker.setDown(true)
            let producer = try KafkaProducer(settings, logger: log.logger)
            async let results = producer.produce(numbered(0..<5, topic: "t"))
            try await Waiting.until("five records are under way") { producer.statistics.inFlight >= 5 }
            let start = ContinuousClock.now
            await producer.close()
            #expect(start.duration(to: .now) < .seconds(5))
            #expect(await results.failures.map(\.code) == Array(repeating: .purged, count: 5))
            #expect(await results.failures.allSatisfy { $0.isRetriable })
            #expect(await producer.produce(numbered(0..<1, topic: "t")).failures.map(\.code) == [.closed])
        }
    }

    @Test("delivers what is under way before it closes")
    func closeFlushes() async throws {
        try await withBroker(topic) { broker, settings, log in
            try broker.setLatency(.milliseconds(200))
            let producer = try KafkaProducer(settings, logger: log.logger)
            async let results = producer.produce(numbered(0..<100, topic: "t"))
            try await Waiting.until("the records are under way") {
                let statistics = producer.statistics
                return statistics.inFlight + Int(statistics.delivered) >= 100
            }
            await producer.close()
            #expect(await results.failures.isEmpty)
            #expect(producer.statistics.delivered == 100)
        }
    }

    @Test("waits for a topic that is not there, and says so where records have a time limit")
    func unknownTopic() async throws {
        try await withBroker(topic) { broker, settings, log in
            broker.setError(.unknownTopicOrPartition, of: "missing")
            var settings = settings
            settings.deliveryTimeout = .milliseconds(500)
            settings.properties["topic.metadata.propagation.max.ms"] = "100"
            try await withProducer(settings, log) { producer in
                let failures = await producer.produce([KafkaRecord(topic: "missing", value: [])]).failures
                #expect(failures.count == 1)
                #expect(
                    [.unknownTopicOrPartition, .unknownTopicLocally, .recordTimedOut].contains(failures.first?.code))
                #expect(failures.allSatisfy { $0.isRetriable })
            }
        }
    }
}

/// The rule of Java's default partitioner, written down anew from its published algorithm.
private func murmur2Partition(_ key: String, of partitions: Int32) -> Int32 {
    let data = Array(key.utf8)
    let multiplier: UInt32 = 0x5bd1_e995
    var hash: UInt32 = 0x9747_b28c ^ UInt32(data.count)
    for chunk in 0..<data.count / 4 {
        var word: UInt32 = 0
        for byte in 0..<4 { word |= UInt32(data[chunk * 4 + byte]) << (8 * UInt32(byte)) }
        word = word &* multiplier
        word ^= word >> 24
        hash = (hash &* multiplier) ^ (word &* multiplier)
    }
    let rest = data.suffix(data.count % 4)
    for (index, byte) in rest.enumerated().reversed() { hash ^= UInt32(byte) << (8 * UInt32(index)) }
    if !rest.isEmpty { hash = hash &* multiplier }
    hash ^= hash >> 13
    hash = hash &* multiplier
    hash ^= hash >> 15
    return Int32(hash & 0x7fff_ffff) % partitions
}
