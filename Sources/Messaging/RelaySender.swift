import Failpoints
import Kafka
import Logging

/// Hands a shard's events to the broker, in order within each key.
struct RelaySender: Sendable {
    let producer: KafkaProducer
    let standing: RelayStanding
    let metrics: RelayMetrics
    let logger: Logger

    /// Sends a page until the broker has taken, or for ever refused, each of it, or the lease is lost.
    ///
    /// What is with the broker already can't be called back: a lease that runs out meanwhile lets two processes publish
    /// the same events for a moment.
    func send(_ page: RelayBooks.Sending) async throws -> RelayBooks.Outcome {
        var events = page.events
        var records = try events.map { try $0.record() }
        var refused: [DeadLetter] = []
        var backoff = Backoff()
        while true {
            guard standing.allows(page.shard, page.epoch) else { return .stopped }
            try await Failpoint.reach("relay.before-produce")
            let results = try await produce(records)
            var again: [Int] = []
            var unpublished = 0
            var held: Set<[UInt8]> = []
            for (index, result) in results.enumerated() {
                if case .success = result, held.isEmpty { continue }
                let key = records[index].key ?? []
                switch result {
                case .failure(let error) where !error.refusesForEver:
                    held.insert(key)
                    again.append(index)
                // What came after a failure of its key goes again behind it: twice, but in order.
                case .success where held.contains(key): again.append(index)
                case .success: break
                case .failure(let error):
                    logger.error(
                        "broker refused an event for good; it is kept as a dead letter",
                        metadata: ["event": "\(events[index].eventID)", "error": "\(error)"])
                    refused.append(
                        .outgoing(records[index], eventID: events[index].eventID, reason: "\(error)"))
                    unpublished += 1
                }
            }
            metrics.published(results.count - again.count - unpublished)
            if again.isEmpty { return .taken(refused: refused) }
            try Task.checkCancellation()
            logger.warning("broker did not take events, sending again", metadata: ["events": "\(again.count)"])
            (events, records) = (again.map { events[$0] }, again.map { records[$0] })
            try await backoff.wait()
        }
    }

    private func produce(_ records: [KafkaRecord]) async throws -> [Result<Delivery, KafkaError>] {
        var failure: (any Error)?
        let results = await producer.produce(records) {
            do {
                try await Failpoint.reach("relay.after-produce")
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try await Failpoint.reach("relay.after-report")
        return results
    }
}

extension KafkaError {
    /// Whether the record is to be set aside, so that those behind it can go on.
    ///
    /// A topic that this program may not write to stays closed until somebody opens it, and events of other topics in
    /// the shard would wait as long. A topic that is not there yet is waited for: brokers say so for a while of one that
    /// has just been made.
    var refusesForEver: Bool { !isRetriable || code == .topicNotAuthorized }
}
