import Kafka
import Synchronization
import Testing

@Suite("A consumer group")
struct GroupTests {
    @Test("shares the partitions, hands them over when members come and go, and misses nothing")
    func sharing() async throws {
        try await withBroker(TopicSpec("t", partitions: 6), within: .seconds(120)) { _, settings, log in
            let seen = Tally()
            try await publishEverywhere(0..<50, settings, log)
            let (secondRebalances, second) = AsyncStream.makeStream(of: KafkaConsumer.Rebalance.self)
            try await withConsumer(settings, topics: ["t"], log) { one in
                try await one.count(into: seen, until: 6 * 50)
                // While a group rebalances the embedded broker refuses commits, and what is not committed is read again.
                try await one.commit()
                try await withConsumer(settings, topics: ["t"], log, observer: { second.yield($0) }) { two in
                    try await two.assignment(in: secondRebalances, isOf: 3)
                    #expect(one.assigned.isDisjoint(with: two.assigned))
                    #expect(one.assigned.union(two.assigned).count == 6)
                    try await publishEverywhere(50..<100, settings, log)
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await one.count(into: seen, until: 6 * 100) }
                        group.addTask { try await two.count(into: seen, until: 6 * 100) }
                        // The one that has nothing more to read would wait for ever.
                        try await seen.reaches(6 * 100)
                        group.cancelAll()
                    }
                    try await one.commit()
                    try await two.commit()
                }
                try await publishEverywhere(100..<150, settings, log)
                try await one.count(into: seen, until: 6 * 150)
                #expect(one.assigned.count == 6)
            }
            #expect(seen.counts.count == 6 * 150)
            #expect(seen.counts.values.allSatisfy { $0 == 1 })
        }
    }

    @Test("does not let a member store messages of a partition that another has now")
    func revoked() async throws {
        try await withBroker(TopicSpec("t", partitions: 2)) { _, settings, log in
            try await publishEverywhere(0..<5, settings, log, partitions: 2)
            let (rebalances, observer) = AsyncStream.makeStream(of: KafkaConsumer.Rebalance.self)
            let revocations = Mutex<[TopicPartition]>([])
            try await withConsumer(
                settings, topics: ["t"], log,
                observer: { event in
                    if case .revoked(let partitions, lost: false) = event {
                        revocations.withLock { $0 += partitions }
                    }
                }
            ) { one in
                let inFlight = try await one.read(10)
                try await withConsumer(settings, topics: ["t"], log, observer: { observer.yield($0) }) { two in
                    try await two.assignment(in: rebalances, isOf: 1)
                    let given = try #require(two.assigned.first)
                    #expect(revocations.withLock { $0 } == [given])
                    for message in inFlight { one.store(message) }
                    #expect(one.statistics.stored == 5)
                    #expect(one.statistics.storesRefused == 5)
                    let handedOver = try await two.read(5)
                    #expect(handedOver.map(\.number) == Array(0..<5))
                }
            }
        }
    }

    @Test("reads a partition that was paused when it went, once it has come back")
    func pausedAndBack() async throws {
        try await withBroker(TopicSpec("t", partitions: 2), within: .seconds(90)) { _, settings, log in
            try await publishEverywhere(0..<2, settings, log, partitions: 2)
            let (rebalances, observer) = AsyncStream.makeStream(of: KafkaConsumer.Rebalance.self)
            let (others, other) = AsyncStream.makeStream(of: KafkaConsumer.Rebalance.self)
            try await withConsumer(settings, topics: ["t"], log, observer: { observer.yield($0) }) { one in
                let read = try await one.read(4)
                for message in read {
                    one.store(message)
                    try one.pause(message.source)
                }
                try await one.commit()
                let gone = try await withConsumer(settings, topics: ["t"], log, observer: { other.yield($0) }) { two in
                    try await two.assignment(in: others, isOf: 1)
                    return try #require(two.assigned.first)
                }
                try await one.assignment(in: rebalances, isOf: 2)
                // What was decided about the partition before it went is nobody's business any more.
                let late = try #require(read.first { $0.source == gone }).position.epoch
                #expect(throws: KafkaError.self) { try one.pause(gone, epoch: late) }
                try await publishEverywhere(2..<4, settings, log, partitions: 2)
                let back = try await within(.seconds(20)) { try await one.read(2) }
                #expect(back.allSatisfy { $0.source == gone })
                #expect(back.map(\.number) == [2, 3])
            }
        }
    }

    @Test("gives a member's partitions to others when it stops asking for messages")
    func stuckMember() async throws {
        try await withBroker(TopicSpec("t", partitions: 1)) { _, settings, log in
            var settings = settings
            settings.processingTimeout = settings.sessionTimeout
            try await publish(0..<1, settings, log)
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                let read = try await consumer.read(1)
                _ = try await log.line("partitions revoked")
                #expect(!consumer.owns(read[0]))
                // It comes back as soon as it asks again.
                let again = try await consumer.read(1)
                #expect(again.map(\.number) == [0])
            }
        }
    }

    @Test("keeps a member that waits for messages longer than it may take to deal with them")
    func idleMember() async throws {
        try await withBroker(TopicSpec("t", partitions: 1)) { _, settings, log in
            var settings = settings
            settings.processingTimeout = settings.sessionTimeout
            try await withConsumer(settings, topics: ["t"], log) { consumer in
                async let waiting = consumer.read(1)
                _ = try await log.line("partitions assigned")
                // Longer than it may be silent; there is no event for nothing happening.
                try await Task.sleep(for: settings.processingTimeout + .seconds(2))
                #expect(consumer.statistics.rebalances == 1)
                try await publish(0..<1, settings, log)
                #expect(try await waiting.count == 1)
            }
        }
    }
}

/// How often each message was seen.
private final class Tally: Sendable {
    private struct State {
        var counts: [TopicPartition: [Int64: Int]] = [:]
        var total = 0
        var waiting: [(Int, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var total: Int { state.withLock { $0.total } }

    var counts: [String: Int] {
        state.withLock { state in
            state.counts.reduce(into: [:]) { counts, entry in
                for (offset, count) in entry.value { counts["\(entry.key)@\(offset)"] = count }
            }
        }
    }

    func add(_ messages: [KafkaMessage]) {
        let woken = state.withLock { state in
            for message in messages {
                let before = state.counts[message.source, default: [:]].updateValue(
                    (state.counts[message.source]?[message.offset] ?? 0) + 1, forKey: message.offset)
                if before == nil { state.total += 1 }
            }
            let total = state.total
            defer { state.waiting.removeAll { $0.0 <= total } }
            return state.waiting.filter { $0.0 <= total }
        }
        for (_, continuation) in woken { continuation.resume() }
    }

    func reaches(_ total: Int) async throws {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.total >= total { return true }
                state.waiting.append((total, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

extension KafkaConsumer {
    /// Reads and stores until all together have read so many.
    fileprivate func count(into tally: Tally, until total: Int) async throws {
        while tally.total < total {
            do {
                let messages = try await messages(maximum: 100)
                if messages.isEmpty { return }
                tally.add(messages)
                for message in messages { store(message) }
            } catch is CancellationError {
                return
            }
        }
    }

    /// Waits for a rebalance that leaves the consumer with so many partitions.
    fileprivate func assignment(in rebalances: AsyncStream<Rebalance>, isOf count: Int) async throws {
        if assigned.count == count { return }
        for await _ in rebalances where assigned.count == count { return }
        throw CancellationError()
    }
}

private func publishEverywhere(
    _ numbers: Range<Int>, _ settings: KafkaSettings, _ log: LogRecorder, partitions: Int32 = 6
) async throws {
    for partition in 0..<partitions {
        try await publish(numbers, settings, log, partition: partition)
    }
}
