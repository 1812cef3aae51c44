import Failpoints
import Kafka
import Logging
import Metrics
import Synchronization

/// Begins with partitions where the group left off, and holds back those of which the broker lost something.
///
/// A partition with a gap is not read from until somebody has had the span published again; the others go on.
final class StreamWatch: Sendable {
    private struct Guarded {
        /// Stored since the books were last written.
        var stored: [TopicPartition: MessagePosition] = [:]
        var gaps: Set<TopicPartition> = []
        /// Where partitions were begun with that the books don't have.
        var fresh: [TopicPartition: Int64] = [:]
    }

    private let guarded = Mutex(Guarded())
    private let gaps: StreamGaps
    private let consumer: KafkaConsumer
    private let meters: ConsumerMeters
    private let logger: Logger

    init(gaps: StreamGaps, consumer: KafkaConsumer, meters: ConsumerMeters, logger: Logger) {
        self.gaps = gaps
        self.consumer = consumer
        self.meters = meters
        self.logger = logger
    }

    func stored(_ position: MessagePosition) { guarded.withLock { $0.stored[position.source] = position } }

    /// Starts reading those of the partitions that nothing is missing of.
    func begin(_ partitions: [TopicPartition]) async throws {
        guarded.withLock { guarded in
            for partition in partitions {
                guarded.stored[partition] = nil
                guarded.fresh[partition] = nil
                guarded.gaps.remove(partition)
            }
        }
        let books = try await gaps.books()
        let standings = try await consumer.standings(of: partitions)
        var starts: [TopicPartition: Int64] = [:]
        var resumed: [StreamGap] = []
        var fresh: [TopicPartition: Int64] = [:]
        for partition in partitions {
            guard let standing = standings[partition] else { continue }
            if let gap = books.gaps[partition] {
                guard let offset = gap.resumeOffset else {
                    guarded.withLock { _ = $0.gaps.insert(partition) }
                    continue
                }
                guard (standing.first...max(standing.first, standing.end)).contains(offset) else {
                    // What was published again is gone as well.
                    try await gaps.reopen(gap, available: standing.first..<max(standing.first, standing.end))
                    guarded.withLock { _ = $0.gaps.insert(partition) }
                    continue
                }
                starts[partition] = offset
                resumed.append(gap)
                continue
            }
            switch StreamStart(standing: standing, recorded: books.next[partition]) {
            case .at(let offset):
                starts[partition] = offset
                if books.next[partition] == nil { fresh[partition] = offset }
            case .gap(let expected, let cause): try await hold(partition, expected, standing, cause)
            }
        }
        meters.gaps.record(guarded.withLock { $0.gaps.count })
        let unknown = fresh.filter { standings[$0.key]?.committed == nil }.keys
        try await consumer.begin(starts, storing: Set(resumed.map(\.source)).union(unknown))
        guarded.withLock { guarded in guarded.fresh.merge(fresh) { _, newer in newer } }
        if !resumed.isEmpty { try await consumer.commit() }
        for gap in resumed {
            try await gaps.take(gap)
            logger.notice(
                "reading goes on behind a gap",
                metadata: ["partition": "\(gap.source)", "offset": "\(starts[gap.source] ?? 0)"])
        }
    }

    private func hold(
        _ partition: TopicPartition, _ expected: Int64?, _ standing: PartitionStanding, _ cause: String
    ) async throws {
        let isNew = try await gaps.record(
            partition, expected: expected, available: standing.first..<max(standing.first, standing.end), cause: cause)
        guarded.withLock { _ = $0.gaps.insert(partition) }
        guard isNew else { return }
        logger.critical(
            "events are missing: reading of the partition has stopped; run: atrium events refill --context \(gaps.schema)",
            metadata: [
                "partition": "\(partition)", "expected": "\(expected.map(String.init) ?? "?")",
                "first": "\(standing.first)", "end": "\(standing.end)", "cause": "\(cause)",
            ])
    }

    /// Goes on with partitions whose gap somebody has resolved.
    func reviewGaps() async {
        let held = guarded.withLock { $0.gaps }.intersection(consumer.assigned)
        meters.gaps.record(held.count)
        guard !held.isEmpty else { return }
        do {
            let books = try await gaps.books()
            let ready = held.filter { books.gaps[$0]?.resumeOffset != nil || books.gaps[$0] == nil }
            if !ready.isEmpty { try await begin(Array(ready)) }
        } catch {
            guarded.withLock { $0.gaps.formUnion(held) }
            logger.debug("gaps are looked at later", metadata: ["error": "\(error)"])
        }
    }

    /// Commits what was stored since the last time, and writes it down then: the books are never ahead of the broker.
    func settle() async {
        await settleStored()
        do {
            try await enterFresh()
        } catch {
            logger.debug("partitions are written down later", metadata: ["error": "\(error)"])
        }
    }

    /// What goes from the broker before the first of a partition is taken in is missed as well: both memories have to
    /// know that the partition is there.
    private func enterFresh() async throws {
        let fresh = guarded.withLock { $0.fresh }
        guard !fresh.isEmpty else { return }
        try await consumer.commit()
        let standings = try await consumer.standings(of: Array(fresh.keys))
        let known = fresh.filter { standings[$0.key]?.committed != nil }
        try await gaps.enter(known)
        let own = consumer.assigned
        guarded.withLock { guarded in
            guarded.fresh = guarded.fresh.filter { known[$0.key] == nil && own.contains($0.key) }
        }
    }

    private func settleStored() async {
        let positions = guarded.withLock { guarded in
            defer { guarded.stored = [:] }
            return guarded.stored
        }
        guard !positions.isEmpty else { return }
        do {
            try await consumer.commit()
            try await Failpoint.reach("consumer.after-offset-commit")
            // The commit spoke for the partitions that are still this consumer's. What it had stored of one that went
            // meanwhile may not have been taken: books that say so would look like a log that was lost.
            try await gaps.write(positions.values.filter(consumer.owns))
        } catch {
            // What has been stored since is newer.
            guarded.withLock { guarded in guarded.stored.merge(positions) { newer, _ in newer } }
            logger.debug("offsets are committed and written down later", metadata: ["error": "\(error)"])
        }
    }

    func measureLag() async {
        let own = Array(consumer.assigned)
        guard !own.isEmpty, let standings = try? await consumer.standings(of: own) else { return }
        meters.lag.record(
            standings.values.reduce(into: Int64(0)) { $0 += max(0, $1.end - max($1.committed ?? $1.first, $1.first)) })
    }
}
