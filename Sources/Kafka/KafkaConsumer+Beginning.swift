import Logging
import Reactor
import Synchronization

extension KafkaConsumer {
    /// Begins to read partitions at these offsets; those that have gone since, or are read already, are left alone.
    ///
    /// - Parameter storing: whose offset is stored at once, since the broker does not know it.
    package func begin(_ starts: [TopicPartition: Int64], storing: Set<TopicPartition> = []) async throws {
        try await BlockingCalls.kafka.result { [self] in
            try takeover.withLock { _ in
                let wanted = guarded.withLock { guarded in
                    starts.filter {
                        guarded.assignment.epochs[$0.key] != nil && !guarded.assignment.begun.contains($0.key)
                    }
                }
                guard !wanted.isEmpty else { return }
                try begin(wanted.map { ($0.key, $0.value) })
                // Of what is read already, more may have been stored.
                for (partition, offset) in wanted where storing.contains(partition) {
                    _ = client.store(partition, nextOffset: offset)
                }
            }
        }
        wakeReaders()
    }

    func begin(_ starts: [(TopicPartition, Int64?)]) throws {
        do {
            try client.assign(starts)
        } catch let error as KafkaError where error.code == .invalidArgument {
            // Refused as a whole where librdkafka still has one of them from an assignment that was lost.
            for start in starts {
                try? client.unassign([start.0])
                try client.assign([start])
            }
        }
        guarded.withLock { $0.assignment.begin(starts.map(\.0)) }
    }

    /// Stops reading a partition whose offset the broker does not have; it waits to be begun with again.
    func suspend(_ partition: TopicPartition) async {
        // Apart from the task that reads, which may be cancelled.
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            BlockingCalls.kafka.run { [self] in
                defer { continuation.resume() }
                takeover.withLock { _ in
                    let (isBegun, isPaused) = guarded.withLock {
                        ($0.assignment.begun.contains(partition), $0.assignment.paused.contains(partition))
                    }
                    guard isBegun else { return }
                    if isPaused { unpause([partition]) }
                    guarded.withLock { $0.assignment.suspend(partition) }
                    do {
                        try client.unassign([partition])
                    } catch {
                        logger.error("cannot stop reading a partition", metadata: ["error": "\(error)"])
                    }
                    arrival.yield([partition])
                }
            }
        }
    }

    /// What the broker has of partitions, and how far it knows this group to be.
    package func standings(of partitions: [TopicPartition]) async throws -> [TopicPartition: PartitionStanding] {
        try await BlockingCalls.kafka.result { [client, group, timeout = settings.requestTimeout] in
            let committed = try client.committedOffsets(of: group, partitions, timeout: timeout)
            let ranges = try client.ranges(of: partitions, timeout: timeout)
            return ranges.reduce(into: [:]) { standings, entry in
                standings[entry.key] = PartitionStanding(
                    committed: committed[entry.key], first: entry.value.first, end: entry.value.end)
            }
        }
    }
}

/// What the broker has of a partition, and how far it knows a group to be.
package struct PartitionStanding: Sendable, Hashable {
    /// Nil where the group has committed nothing.
    package let committed: Int64?
    package let first: Int64
    /// The offset that the next message will get.
    package let end: Int64

    package init(committed: Int64?, first: Int64, end: Int64) {
        self.committed = committed
        self.first = first
        self.end = end
    }
}
