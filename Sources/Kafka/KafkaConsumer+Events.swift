import Logging
import Reactor
import Synchronization

extension KafkaConsumer {
    // Giving partitions over waits for librdkafka's main thread, so it is no work for the reactor.
    private static let eventCalls = BlockingCalls(maximumThreads: 2)

    /// Has the events dealt with, in order, by one thread at a time.
    func serveEvents() {
        let mustStart = guarded.withLock { guarded in
            guarded.mustServeAgain = guarded.isServing
            defer { guarded.isServing = true }
            return !guarded.isServing
        }
        if mustStart {
            Self.eventCalls.run { [weak self] in self?.drainEvents() }
        }
    }

    private func drainEvents() {
        while true {
            client.drainEvents { handle($0) }
            if client.hasLeft { resumeLeavers() }
            let again = guarded.withLock { guarded in
                defer { guarded.mustServeAgain = false }
                guarded.isServing = guarded.mustServeAgain
                return guarded.isServing
            }
            if !again { return }
        }
    }

    private func handle(_ event: ClientEvent) {
        switch event {
        case .assigned(let partitions): assign(partitions)
        case .revoked(let partitions, let lost): revoke(partitions, lost: lost)
        case .committed(nil): break
        case .committed(let error?):
            guarded.withLock { $0.statistics.failedCommits += 1 }
            logger.warning("offsets not committed", metadata: ["error": "\(error)"])
        case .error(let error): note(error)
        case .log(let line) where line.tellsOfOffsetReset:
            guarded.withLock { $0.statistics.offsetResets += 1 }
            logger.error(
                "the broker no longer had an offset of this group: messages may have been missed",
                metadata: ["detail": "\(line.text)"])
        case .log(let line): logger.take(line)
        case .deliveries: break
        }
    }

    private func assign(_ partitions: [TopicPartition]) {
        guarded.withLock { guarded in
            guarded.assignment.assign(partitions)
            guarded.statistics.rebalances += 1
        }
        logger.info("partitions assigned", metadata: ["partitions": "\(partitions)"])
        observer?(.assigned(partitions))
        do {
            switch beginning {
            case .byItself: try begin(partitions.map { ($0, nil) })
            case .whenTold:
                // Takes the group's decision, and reads nothing yet.
                try begin([])
                arrival.yield(partitions)
            }
        } catch {
            logger.error("cannot take partitions over", metadata: ["error": "\(error)"])
        }
    }

    private func revoke(_ partitions: [TopicPartition], lost: Bool) {
        takeover.withLock { _ in revokeAlone(partitions, lost: lost) }
    }

    private func revokeAlone(_ partitions: [TopicPartition], lost: Bool) {
        let (begun, paused) = guarded.withLock { guarded in
            let begun = partitions.filter(guarded.assignment.begun.contains)
            let paused = begun.filter(guarded.assignment.paused.contains)
            guarded.assignment.revoke(partitions)
            guarded.statistics.rebalances += 1
            return (begun, paused)
        }
        logger.info("partitions revoked", metadata: ["partitions": "\(partitions)", "lost": "\(lost)"])
        observer?(.revoked(partitions, lost: lost))
        unpause(paused)
        do {
            try client.unassign(begun)
        } catch {
            logger.error("cannot give partitions up", metadata: ["error": "\(error)"])
        }
    }

    /// librdkafka keeps a partition paused that goes, and would read nothing of it when it comes back. This has to come
    /// before it is given up: one that is resumed once it has been begun with is read twice.
    func unpause(_ partitions: [TopicPartition]) {
        for partition in partitions {
            do {
                try client.resume(partition)
            } catch {
                logger.error(
                    "cannot have a partition flow again", metadata: ["partition": "\(partition)", "error": "\(error)"])
            }
        }
    }

    func note(_ error: KafkaError) {
        logger.take(error)
        guarded.withLock { guarded in
            guarded.statistics.errors += 1
            if error.isFatal, case .open = guarded.phase { guarded.phase = .failed(error) }
        }
        if error.isFatal { wakeReaders() }
    }
}
