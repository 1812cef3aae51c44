package import Logging
import Reactor
import ServiceLifecycle
import Synchronization

/// A member of a consumer group: reads its share of the topics, and commits what it is told was dealt with.
///
/// Partitions come and go on a thread of their own, also while messages are being dealt with; `owns(_:)` and the observer
/// tell. What is in flight of a partition that goes is read again by whoever has it next.
package final class KafkaConsumer: Service {
    /// What the group has decided about this member.
    package enum Rebalance: Sendable, Hashable {
        case assigned([TopicPartition])
        /// Where they are lost, others may have been reading them for a while.
        case revoked([TopicPartition], lost: Bool)
    }

    /// Who decides where a partition is read from.
    package enum Beginning: Sendable {
        /// The group's committed offset, or the partition's first where there is none (any more).
        case byItself
        /// Whoever reads `arrivals` and calls `begin`.
        case whenTold
    }

    struct Guarded {
        enum Phase {
            /// Goes to `leaving`, or to `failed` by a fatal error.
            case open
            case failed(KafkaError)
            /// Goes to `closed`.
            case leaving
            case closed
        }

        var phase = Phase.open
        var assignment = Assignment()
        var statistics = ConsumerStatistics()
        /// Counts whatever `messages` may be waiting for.
        var wakeups: UInt64 = 0
        var readers: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastReader: UInt64 = 0
        var isServing = false
        var mustServeAgain = false
        var leavers: [CheckedContinuation<Void, Never>] = []
    }

    let guarded = Mutex(Guarded())
    let client: ClientHandle
    let logger: Logger
    let observer: (@Sendable (Rebalance) -> Void)?
    let beginning: Beginning
    let group: String
    /// Partitions that wait to be begun with: newly assigned ones, and those whose offset the broker no longer has.
    package let arrivals: AsyncStream<[TopicPartition]>
    let arrival: AsyncStream<[TopicPartition]>.Continuation
    /// Held while librdkafka is told of partitions that come, go or flow, so that no two of these can cross.
    let takeover = Mutex(())
    let settings: KafkaSettings

    /// The observer is called before the partitions are read from, or given up, on a thread that it should not hold.
    package init(
        _ settings: KafkaSettings, group: String, topics: [String], beginning: Beginning = .byItself, logger: Logger,
        observer: (@Sendable (Rebalance) -> Void)? = nil
    ) throws {
        var logger = logger
        logger[metadataKey: "group"] = "\(group)"
        self.settings = settings
        self.logger = logger
        self.observer = observer
        self.beginning = beginning
        self.group = group
        (arrivals, arrival) = AsyncStream.makeStream()
        client = try ClientHandle(
            .consumer, properties: settings.consumerProperties(group: group, resetsOffsets: beginning == .byItself))
        try client.watch(
            events: { [weak self] in self?.serveEvents() },
            messages: { [weak self] in self?.wakeReaders() })
        try client.subscribe(to: topics)
    }

    package var statistics: ConsumerStatistics { guarded.withLock { $0.statistics } }
    package var assigned: Set<TopicPartition> { guarded.withLock { Set($0.assignment.epochs.keys) } }

    // MARK: Reading

    /// Waits for at least one message and returns at most `maximum`, each partition's in order; none once the consumer
    /// is being closed.
    package func messages(maximum: Int) async throws -> [KafkaMessage] {
        while true {
            try Task.checkCancellation()
            let seen = try guarded.withLock { guarded -> UInt64? in
                switch guarded.phase {
                case .open: return guarded.wakeups
                case .failed(let error): throw error
                case .leaving, .closed: return nil
                }
            }
            guard let seen else { return [] }
            let read = client.readMessages(maximum: max(1, maximum)) { body in
                guarded.withLock { guarded in
                    body()
                    return guarded.assignment.epochs
                }
            }
            for (source, error) in read.errors {
                note(error)
                if let source, error.code == .offsetGone, beginning == .whenTold { await suspend(source) }
            }
            if !read.messages.isEmpty {
                guarded.withLock { $0.statistics.consumed += read.messages.count }
                return read.messages
            }
            await wakeup(after: seen)
        }
    }

    /// Waits for a wake-up later than `seen`. Comes back now and then without one, because a member that asks for nothing
    /// for too long is taken for dead.
    private func wakeup(after seen: UInt64) async {
        let reader = guarded.withLock { guarded in
            guarded.lastReader += 1
            return guarded.lastReader
        }
        let timer = Reactor.shared.schedule(after: settings.processingTimeout / 4) { [weak self] in self?.wakeReaders()
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = guarded.withLock { guarded in
                    guard guarded.wakeups == seen, !Task.isCancelled else { return false }
                    guarded.readers[reader] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            guarded.withLock { $0.readers.removeValue(forKey: reader) }?.resume()
        }
    }

    func wakeReaders() {
        let readers = guarded.withLock { guarded in
            defer { guarded.readers = [:] }
            guarded.wakeups &+= 1
            return guarded.readers
        }
        for reader in readers.values { reader.resume() }
    }

    // MARK: Offsets

    /// False where the partition has gone to another member, or has been sought in, since the message was read.
    package func owns(_ message: KafkaMessage) -> Bool { owns(message.position) }

    package func owns(_ position: MessagePosition) -> Bool { guarded.withLock { $0.assignment.owns(position) } }

    /// The message and all before it in its partition are dealt with: the next commit says so. Does nothing for a message
    /// that is no longer this consumer's.
    package func store(_ message: KafkaMessage) { _ = store(message.position) }

    /// Answers whether that was this consumer's to say.
    package func store(_ position: MessagePosition) -> Bool {
        guarded.withLock { guarded in
            // Inside the lock, so that the partition cannot go and come back between the two.
            guard guarded.assignment.advance(to: position),
                client.store(position.source, nextOffset: position.offset + 1)
            else {
                guarded.statistics.storesRefused += 1
                return false
            }
            guarded.statistics.stored += 1
            return true
        }
    }

    /// Commits what is stored now instead of at the next interval.
    package func commit() async throws {
        try await BlockingCalls.kafka.result { [client] in try client.commitStored() }
    }

    /// - Parameter epoch: of the messages that this is for: once the partition has gone, or been begun with anew, nothing
    ///   is done.
    package func pause(_ partition: TopicPartition, epoch: UInt64? = nil) throws {
        try turn(partition, epoch, { $0.pause(partition) }, client.pause)
    }

    /// - Parameter epoch: as for `pause`.
    package func resume(_ partition: TopicPartition, epoch: UInt64? = nil) throws {
        try turn(partition, epoch, { $0.resume(partition) }, client.resume)
    }

    private func turn(
        _ partition: TopicPartition, _ epoch: UInt64?, _ change: (inout Assignment) -> Void,
        _ act: (TopicPartition) throws -> Void
    ) throws {
        // A partition that goes in between would stay paused in librdkafka, also when it comes back.
        try takeover.withLock { _ in
            try ensureAssigned(partition, epoch, change)
            try act(partition)
        }
        wakeReaders()
    }

    /// Reads the partition from `offset` on; messages read before can no longer be stored.
    package func seek(_ partition: TopicPartition, to offset: Int64) async throws {
        try await BlockingCalls.kafka.result { [self] in
            try takeover.withLock { _ in
                try ensureAssigned(partition) { _ in }
                // Paused, so that no message of the new place is taken for one of the old.
                try client.pause(partition)
                defer {
                    let staysPaused = guarded.withLock { $0.assignment.paused.contains(partition) }
                    if !staysPaused { try? client.resume(partition) }
                }
                try ensureAssigned(partition) { $0.renew(partition) }
                try client.seek(partition, to: offset, timeout: settings.requestTimeout)
            }
        }
        wakeReaders()
    }

    private func ensureAssigned(
        _ partition: TopicPartition, _ epoch: UInt64? = nil, _ change: (inout Assignment) -> Void
    ) throws {
        try guarded.withLock { guarded in
            guard let current = guarded.assignment.epochs[partition], epoch ?? current == current else {
                throw KafkaError(.notAssigned, "\(partition)")
            }
            change(&guarded.assignment)
        }
    }

    // MARK: Ending

    /// Waits for shutdown, then closes.
    package func run() async throws {
        try? await gracefulShutdown()
        await close()
    }

    /// Commits what is stored, leaves the group and lets go, within `closeTimeout`; `messages` returns none from now on.
    package func close() async {
        let isFirst = guarded.withLock { guarded in
            switch guarded.phase {
            case .open, .failed:
                guarded.phase = .leaving
                return true
            case .leaving, .closed: return false
            }
        }
        wakeReaders()
        if isFirst, client.startLeaving() { await leave() }
        if client.hasLeft {
            await client.close()
        } else {
            client.beginClosing()
        }
        arrival.finish()
        guarded.withLock { $0.phase = .closed }
    }

    private func leave() async {
        let deadline = ContinuousClock.now.advanced(by: settings.closeTimeout)
        let timer = Reactor.shared.schedule(at: deadline) { [weak self] in self?.resumeLeavers() }
        await withCheckedContinuation { continuation in
            let waits = guarded.withLock { guarded in
                guard ContinuousClock.now < deadline, !client.hasLeft else { return false }
                guarded.leavers.append(continuation)
                return true
            }
            if !waits { continuation.resume() }
        }
        timer.cancel()
        if !client.hasLeft { logger.warning("left the consumer group without the broker's leave") }
    }

    func resumeLeavers() {
        let leavers = guarded.withLock { guarded in
            defer { guarded.leavers = [] }
            return guarded.leavers
        }
        for leaver in leavers { leaver.resume() }
    }
}
