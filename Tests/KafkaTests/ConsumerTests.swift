import Logging
import Synchronization
import TestSupport
import Testing

@testable import Kafka

@Suite("A consumer")
struct ConsumerTests {
    private let topic = TopicSpec("t", partitions: 1)
    private let partition = TopicPartition(topic: "t", partition: 0)

    @Test("commits on closing what was stored, and nothing else")
    func closeCommits() async throws {
        try await withBroker(topic) { _, settings, log in
            var settings = settings
            settings.commitInterval = .seconds(600)
            try await publish(0..<10, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let messages = try await consumer.read(10)
                for message in messages.prefix(4) { consumer.store(message) }
                #expect(consumer.statistics.stored == 4)
                #expect(consumer.statistics.consumed == 10)
            }
            let again = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(6) }
            #expect(again.map(\.number) == Array(4..<10))
        }
    }

    @Test("that is dropped without closing has committed only what was stored")
    func crash() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<10, settings, log)
            try await crash(settings, log)
            let again = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(3) }
            #expect(again.map(\.number) == [7, 8, 9])
        }
    }

    private func crash(_ settings: KafkaSettings, _ log: LogRecorder) async throws {
        let consumer = try KafkaConsumer(settings, group: "group", topics: ["t"], logger: log.logger)
        for message in try await consumer.read(10).prefix(7) { consumer.store(message) }
        try await consumer.commit()
    }

    @Test("has nothing to commit where nothing was stored")
    func commitOfNothing() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<3, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                _ = try await consumer.read(3)
                try await consumer.commit()
            }
            let again = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(3) }
            #expect(again.map(\.number) == [0, 1, 2])
        }
    }

    @Test("does not take back an offset when an older message is stored after a newer one")
    func storingBackwards() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<5, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let messages = try await consumer.read(5)
                consumer.store(messages[3])
                consumer.store(messages[1])
                #expect(consumer.statistics.storesRefused == 1)
            }
            let again = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(1) }
            #expect(again.map(\.number) == [4])
        }
    }

    @Test("wakes at once when a message arrives, and when its task is cancelled")
    func waking() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<1, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                _ = try await consumer.read(1)
                let waiting = Task { try await consumer.messages(maximum: 10) }
                try await publish(1..<2, settings, log)
                #expect(try await waiting.value.map(\.number) == [1])

                let cancelled = Task { try await consumer.messages(maximum: 10) }
                try await Waiting.until("the task waits") { consumer.guarded.withLock { !$0.readers.isEmpty } }
                let start = ContinuousClock.now
                cancelled.cancel()
                await #expect(throws: CancellationError.self) { try await cancelled.value }
                #expect(start.duration(to: .now) < .seconds(3))
            }
        }
    }

    @Test("returns no messages once it is being closed, also to who waits for them")
    func closing() async throws {
        try await withBroker(topic) { _, settings, log in
            let consumer = try KafkaConsumer(settings, group: "group", topics: ["t"], logger: log.logger)
            let (started, start) = AsyncStream.makeStream(of: Void.self)
            let waiting = Task {
                start.yield()
                return try await consumer.messages(maximum: 10)
            }
            for await _ in started { break }
            await consumer.close()
            #expect(try await waiting.value == [])
            #expect(try await consumer.messages(maximum: 10) == [])
            await #expect(throws: KafkaError.self) { try await consumer.commit() }
        }
    }

    @Test("closes within its time while the broker is away")
    func closeIsBounded() async throws {
        try await withBroker(topic) { broker, settings, log in
            var settings = settings
            settings.closeTimeout = .milliseconds(500)
            try await publish(0..<3, settings, log)
            let consumer = try KafkaConsumer(settings, group: "group", topics: ["t"], logger: log.logger)
            for message in try await consumer.read(3) { consumer.store(message) }
            try broker.setDown(true)
            _ = try await log.line("trouble with Kafka")
            let start = ContinuousClock.now
            await consumer.close()
            #expect(start.duration(to: .now) < .seconds(5))
        }
    }

    @Test("reads on by itself after the broker was away")
    func brokerDown() async throws {
        try await withBroker(topic) { broker, settings, log in
            try await publish(0..<3, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                var numbers = try await consumer.read(3).map(\.number)
                try broker.setDown(true)
                _ = try await log.line("trouble with Kafka")
                try broker.setDown(false)
                try await publish(3..<6, settings, log)
                // Nothing was stored, so a member that had to join again begins again.
                while numbers.last != 5 { numbers += try await consumer.messages(maximum: 10).map(\.number) }
                #expect(firsts(of: numbers) == Array(0..<6))
                #expect(consumer.statistics.errors > 0)
            }
        }
    }

    @Test("reads nothing from a paused partition, and all of it when resumed")
    func pausing() async throws {
        try await withBroker(TopicSpec("t", partitions: 2)) { _, settings, log in
            try await publish(0..<1, settings, log, partition: 0)
            try await publish(0..<1, settings, log, partition: 1)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                _ = try await consumer.read(2)
                try consumer.pause(partition)
                try await publish(1..<5, settings, log, partition: 0)
                try await publish(1..<5, settings, log, partition: 1)
                let others = try await consumer.read(4)
                #expect(others.map(\.partition) == [1, 1, 1, 1])
                try consumer.resume(partition)
                let resumed = try await consumer.read(4)
                #expect(resumed.map(\.partition) == [0, 0, 0, 0])
                #expect(resumed.map(\.number) == [1, 2, 3, 4])
            }
        }
    }

    @Test("reads on from where it is told to seek, and stores nothing read before")
    func seeking() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<10, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let before = try await consumer.read(10)
                consumer.store(before[5])
                try await consumer.seek(partition, to: 2)
                #expect(!consumer.owns(before[9]))
                consumer.store(before[9])
                #expect(consumer.statistics.storesRefused == 1)
                let after = try await consumer.read(8)
                #expect(after.map(\.number) == Array(2..<10))
                consumer.store(after[0])
            }
            let again = try await withConsumer(settings, topics: ["t"], log) { try await $0.read(7) }
            #expect(again.map(\.number) == Array(3..<10))
        }
    }

    @Test("reads a partition that was paused when it was held back, once it is begun with again")
    func pausedAndHeldBack() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<3, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                #expect(try await consumer.read(3).count == 3)
                try consumer.pause(partition)
                await consumer.suspend(partition)
                try await consumer.begin([partition: 1])
                let again = try await within(.seconds(20)) { try await consumer.read(2) }
                #expect(again.map(\.number) == [1, 2])
            }
        }
    }

    @Test("refuses to pause, resume or seek in a partition that is not its own")
    func foreignPartition() async throws {
        try await withBroker(topic) { _, settings, log in
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let foreign = TopicPartition(topic: "t", partition: 7)
                #expect(throws: KafkaError.self) { try consumer.pause(foreign) }
                #expect(throws: KafkaError.self) { try consumer.resume(foreign) }
                await #expect(throws: KafkaError.self) { try await consumer.seek(foreign, to: 0) }
            }
        }
    }

    @Test("sounds an alarm when the broker no longer has its offset, and reads from the beginning of what is left")
    func offsetOutOfRange() async throws {
        try await withBroker(topic) { _, settings, log in
            try await publish(0..<5, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                for message in try await consumer.read(5) { consumer.store(message) }
            }
            // The embedded broker keeps about 5 MB of a partition.
            var uncompressed = settings
            uncompressed.properties["compression.type"] = "none"
            try await withProducer(uncompressed, log) { producer in
                for _ in 0..<8 {
                    let record = KafkaRecord(topic: "t", value: [UInt8](repeating: 0, count: 900_000), partition: 0)
                    #expect(await producer.produce([record]).failures.isEmpty)
                }
            }
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let left = try await consumer.read(5)
                #expect(left.first.map { $0.offset > 5 } == true)
                #expect(left.last?.offset == 12)
                let line = try await log.line("messages may have been missed")
                #expect(line.level == .error)
                #expect(consumer.statistics.offsetResets == 1)
            }
        }
    }

    @Test("tells of a topic that is not there, and reads the others")
    func unknownTopic() async throws {
        try await withBroker(topic) { broker, settings, log in
            broker.setError(.unknownTopicOrPartition, of: "missing")
            try await publish(0..<3, settings, log)
            try await withConsumer(settings, topics: ["missing", "t"], log) { consumer in
                let messages = try await consumer.read(3)
                #expect(messages.map(\.number) == [0, 1, 2])
                _ = try await log.line("trouble with Kafka")
                #expect(consumer.statistics.errors > 0)
            }
        }
    }
}

/// Sends the numbers and checks that they arrived.
func publish(
    _ numbers: Range<Int>, _ settings: KafkaSettings, _ log: LogRecorder, topic: String = "t", partition: Int32 = 0
) async throws {
    let failures = try await withProducer(settings, log) {
        await $0.produce(numbered(numbers, topic: topic, partition: partition)).failures
    }
    if let failure = failures.first { throw failure }
}
