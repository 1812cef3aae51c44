import Glibc
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Kafka

@Suite("A reader without a group")
struct ReaderTests {
    private let topic = TopicSpec("t", partitions: 2)
    private let first = TopicPartition(topic: "t", partition: 0)
    private let second = TopicPartition(topic: "t", partition: 1)

    private func withReader<Result: Sendable>(
        _ settings: KafkaSettings, _ log: LogRecorder, _ body: (KafkaReader) async throws -> Result
    ) async throws -> Result {
        let reader = try KafkaReader(settings, logger: log.logger)
        do {
            let result = try await body(reader)
            await reader.close()
            return result
        } catch {
            await reader.close()
            throw error
        }
    }

    private func publish(_ numbers: Range<Int>, partition: Int32 = 0, _ settings: KafkaSettings, _ log: LogRecorder)
        async throws
    {
        let records = numbered(numbers, topic: "t", partition: partition)
        let results = try await withProducer(settings, log) { await $0.produce(records) }
        #expect(results.failures.isEmpty)
    }

    private func read(_ reader: KafkaReader, untilEndOf partitions: Int) async throws -> [KafkaMessage] {
        var messages: [KafkaMessage] = []
        var ended: Set<TopicPartition> = []
        while ended.count < partitions {
            let batch = try await reader.read(maximum: 100)
            messages += batch.messages
            ended.formUnion(batch.ends.keys)
        }
        return messages
    }

    private func readForever(_ reader: KafkaReader) async throws {
        while true { _ = try await reader.read(maximum: 10) }
    }

    @Test("reads from where it is told to, to the end, and tells where that is")
    func places() async throws {
        try await withBroker(topic) { [first, second] _, settings, log in
            try await publish(0..<10, settings, log)
            try await publish(10..<15, partition: 1, settings, log)
            try await withReader(settings, log) { reader in
                #expect(try await reader.partitions(of: "t") == [first, second])
                let spans = try await reader.spans(of: [first, second])
                #expect(spans == [first: .init(first: 0, end: 10), second: .init(first: 0, end: 5)])
                try reader.start(at: [first: 7, second: 3])
                let messages = try await read(reader, untilEndOf: 2)
                #expect(Set(messages.compactMap(\.number)) == [7, 8, 9, 13, 14])
                // Another place, and nothing of the one before.
                try reader.start(at: [first: 2])
                #expect(try await read(reader, untilEndOf: 1).map(\.number) == Array(2..<10))
            }
        }
    }

    @Test("wakes when a message comes, and when its task is cancelled")
    func waking() async throws {
        try await withBroker(topic) { [first] _, settings, log in
            try await withReader(settings, log) { reader in
                try reader.start(at: [first: 0])
                #expect(try await reader.read(maximum: 1).ends == [first: 0])
                async let next = reader.read(maximum: 1)
                try await publish(5..<6, settings, log)
                #expect(try await next.messages.map(\.number) == [5])
                let waiting = Task { try await readForever(reader) }
                waiting.cancel()
                await #expect(throws: CancellationError.self) { try await waiting.value }
            }
        }
    }

    @Test("finds the first message from a time on, also where the broker can't")
    func times() async throws {
        try await withBroker(topic) { [first, second] _, settings, log in
            try await publish(0..<6, settings, log)
            let stamps = try await withReader(settings, log) { reader in
                try reader.start(at: [first: 0])
                return try await read(reader, untilEndOf: 1).map(\.timestamp)
            }
            let newest = try #require(stamps.last)
            let later = try await withProducer(settings, log) { producer in
                // The next record's time is a later one.
                try await Waiting.until("a millisecond has passed") {
                    millisecondsNow() > newest + 1
                }
                return await producer.produce(numbered(6..<9, topic: "t"))
            }
            #expect(later.failures.isEmpty)
            try await withReader(settings, log) { reader in
                let both = [first, second]
                let all = try await reader.offsets(at: 0, of: both)
                #expect(all == [first: 0, second: 0])
                let newer = try await reader.offsets(at: newest + 1, of: both)
                #expect(newer == [first: 6, second: 0])
                let none = try await reader.offsets(at: newest + 3_600_000, of: both)
                #expect(none == [first: 9, second: 0])
            }
        }
    }

    @Test("says so where its place is gone, or was never there")
    func gone() async throws {
        try await withBroker(topic) { [first] _, settings, log in
            try await publish(0..<3, settings, log)
            try await withReader(settings, log) { reader in
                try reader.start(at: [first: 1000])
                await #expect(throws: KafkaError.self) { try await readForever(reader) }
                await #expect(throws: KafkaError.self) { try await reader.partitions(of: "unheard-of") }
            }
        }
    }

    @Test("moves no group's partitions and commits nothing")
    func groups() async throws {
        try await withBroker(topic) { [first, second] _, settings, log in
            try await publish(0..<5, settings, log)
            try await withConsumer(settings, group: "atrium-reader", topics: ["t"], log) { consumer in
                let messages = try await consumer.read(5)
                consumer.store(messages[1])
                try await consumer.commit()
                let before = consumer.statistics.rebalances
                try await withReader(settings, log) { reader in
                    try reader.start(at: [first: 0, second: 0])
                    #expect(try await read(reader, untilEndOf: 2).count == 5)
                }
                #expect(consumer.statistics.rebalances == before)
                let admin = try KafkaAdmin(settings, logger: log.logger)
                let lag = try await admin.lag(of: "atrium-reader", topics: ["t"])
                await admin.close()
                #expect(lag.first { $0.source == first }?.committed == 2)
            }
        }
    }
}

private func millisecondsNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
