package import Logging
import Reactor
import Synchronization

/// Reads partitions from places of the caller's choosing, as a member of no group: nothing is ever committed, and no
/// group's partitions move.
package final class KafkaReader: Sendable {
    /// What one call of `read` came upon.
    package struct Batch: Sendable {
        package var messages: [KafkaMessage] = []
        /// Partitions that have nothing more at this moment, with the offset that their next message will get.
        package var ends: [TopicPartition: Int64] = [:]
    }

    /// The messages that a partition holds now.
    package struct Span: Sendable, Hashable {
        package let first: Int64
        /// The offset that the next message will get.
        package let end: Int64

        package init(first: Int64, end: Int64) {
            self.first = first
            self.end = end
        }
    }

    private struct Guarded {
        var isClosed = false
        /// Where each partition is read from; earlier messages are left over from a former place.
        var starts: [TopicPartition: Int64] = [:]
        var failure: KafkaError?
        /// Counts whatever `read` may be waiting for.
        var wakeups: UInt64 = 0
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var lastWaiter: UInt64 = 0
    }

    private let guarded = Mutex(Guarded())
    private let client: ClientHandle
    private let settings: KafkaSettings
    private let logger: Logger

    package init(_ settings: KafkaSettings, logger: Logger) throws {
        self.settings = settings
        self.logger = logger
        client = try ClientHandle(.reader, properties: settings.readerProperties)
        try client.watch(events: { [weak self] in self?.serveEvents() }, messages: { [weak self] in self?.wake() })
    }

    /// A second call does nothing.
    package func close() async {
        guarded.withLock { $0.isClosed = true }
        wake()
        await client.close()
    }

    // MARK: Places

    /// Throws where the broker doesn't have the topic.
    package func partitions(of topic: String) async throws -> [TopicPartition] {
        try await BlockingCalls.kafka.result { [client, settings] in
            guard let found = try client.listTopics(timeout: settings.requestTimeout).first(where: { $0.name == topic })
            else { throw KafkaError(.unknownTopicOrPartition, topic) }
            return (0..<Int32(found.partitions)).map { TopicPartition(topic: topic, partition: $0) }
        }
    }

    package func spans(of partitions: [TopicPartition]) async throws -> [TopicPartition: Span] {
        guard !partitions.isEmpty else { return [:] }
        return try await BlockingCalls.kafka.result { [client, settings] in
            try client.ranges(of: partitions, timeout: settings.requestTimeout)
                .mapValues { Span(first: $0.first, end: $0.end) }
        }
    }

    /// The first message of each partition from that time on, by the records' timestamps; the end where there is none.
    ///
    /// - Parameter time: milliseconds since 1970.
    package func offsets(at time: Int64, of partitions: [TopicPartition]) async throws -> [TopicPartition: Int64] {
        guard !partitions.isEmpty else { return [:] }
        let spans = try await spans(of: partitions)
        var offsets = try await BlockingCalls.kafka.result { [client, settings] in
            try client.offsets(at: time, partitions, settings.requestTimeout)
        }
        // "None" is what the embedded broker says to every time, so the partition itself is asked.
        for partition in partitions where offsets[partition].map({ $0 < 0 }) ?? true {
            guard let span = spans[partition] else { continue }
            offsets[partition] = try await search(time, in: partition, span)
        }
        return offsets
    }

    private func search(_ time: Int64, in partition: TopicPartition, _ span: Span) async throws -> Int64 {
        var (low, high) = (span.first, span.end)
        guard low < high else { return high }
        // The newest first: where the broker was right, that settles it.
        var probe = high - 1
        while low < high {
            try start(at: [partition: probe])
            guard let message = try await firstMessage(), message.offset < high else {
                high = probe
                probe = low + (high - low) / 2
                continue
            }
            if message.timestamp >= time { high = probe } else { low = message.offset + 1 }
            probe = low + (high - low) / 2
        }
        try start(at: [:])
        return low
    }

    /// Nil where the partition ends before one.
    private func firstMessage() async throws -> KafkaMessage? {
        while true {
            let batch = try await read(maximum: 1)
            if let message = batch.messages.first { return message }
            if !batch.ends.isEmpty || guarded.withLock({ $0.isClosed }) { return nil }
        }
    }

    /// Reads these partitions from these offsets on, and no others any more.
    package func start(at offsets: [TopicPartition: Int64]) throws {
        guarded.withLock { $0.starts = offsets }
        try client.assign(at: offsets)
        wake()
    }

    // MARK: Reading

    /// Waits for a message or for the end of a partition; comes back empty once the reader is closed.
    package func read(maximum: Int) async throws -> Batch {
        while true {
            try Task.checkCancellation()
            let (seen, starts, isClosed) = try guarded.withLock { guarded in
                if let failure = guarded.failure { throw failure }
                return (guarded.wakeups, guarded.starts, guarded.isClosed)
            }
            if isClosed { return Batch() }
            let read = client.readMessages(maximum: max(1, maximum)) { body in
                body()
                return starts.mapValues { _ in 1 }
            }
            // Whatever a partition can't be read for would only come again.
            if let error = read.errors.map(\.error).first(where: {
                $0.code != .allBrokersDown && $0.code != .connectionLost
            }) {
                throw error
            }
            let batch = Batch(
                messages: read.messages.filter { message in starts[message.source].map { message.offset >= $0 } ?? false
                },
                ends: read.ends.filter { starts[$0.key] != nil })
            if !batch.messages.isEmpty || !batch.ends.isEmpty { return batch }
            await wakeup(after: seen)
        }
    }

    private func wakeup(after seen: UInt64) async {
        let waiter = guarded.withLock { guarded in
            guarded.lastWaiter += 1
            return guarded.lastWaiter
        }
        // A consumer that asks for nothing for too long is told so by an error.
        let timer = Reactor.shared.schedule(after: settings.processingTimeout / 4) { [weak self] in self?.wake() }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = guarded.withLock { guarded in
                    guard guarded.wakeups == seen, !Task.isCancelled else { return false }
                    guarded.waiters[waiter] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            guarded.withLock { $0.waiters.removeValue(forKey: waiter) }?.resume()
        }
    }

    private func wake() {
        let waiters = guarded.withLock { guarded in
            defer { guarded.waiters = [:] }
            guarded.wakeups &+= 1
            return guarded.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }

    private func serveEvents() {
        var failure: KafkaError?
        client.drainEvents { event in
            switch event {
            case .error(let error):
                logger.take(error)
                if error.isFatal { failure = error }
            case .log(let line): logger.take(line)
            case .deliveries, .assigned, .revoked, .committed: break
            }
        }
        guard let failure else { return }
        guarded.withLock { $0.failure = failure }
        wake()
    }
}
