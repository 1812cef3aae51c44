package import Kafka
import Kernel
package import Logging
package import Tenancy

/// Takes a bounded span of a topic through one context's reactions again, beside the live group and without its offsets.
///
/// Each event goes through the inbox, so that one which took effect before has none now.
package struct SpanReplay: Sendable {
    /// The offsets of a partition that are wanted, the upper one left out.
    package typealias Spans = [TopicPartition: Range<Int64>]

    package struct Tally: Sendable, Hashable {
        package var processed = 0
        package var duplicates = 0
        /// Nothing in the context reacts to them.
        package var ignored = 0
        package var failed = 0
        /// Later messages of a key whose earlier one failed: what they build on is not there.
        package var heldBack = 0

        package init(processed: Int = 0, duplicates: Int = 0, ignored: Int = 0, failed: Int = 0, heldBack: Int = 0) {
            self.processed = processed
            self.duplicates = duplicates
            self.ignored = ignored
            self.failed = failed
            self.heldBack = heldBack
        }
    }

    package struct Failure: Sendable {
        package let message: KafkaMessage
        package let reason: String
    }

    private struct Lane {
        var tally = Tally()
        var failures: [Failure] = []
        var failedKeys: Set<[UInt8]>
    }

    private let inbox: Inbox
    private let subscriptions: SubscriptionTable
    private let deadLetters: DeadLetters

    package init(context role: ContextRole, subscriptions: [Subscription], dataPlane: DataPlane, logger: Logger) {
        inbox = Inbox(role: role, dataPlane: dataPlane, logger: logger)
        self.subscriptions = SubscriptionTable(subscriptions)
        let control = dataPlane.fleet.control
        deadLetters = DeadLetters(schema: role.schema, dataPlane: dataPlane, in: { [control] }, logger: logger)
    }

    /// Reads the spans to their ends, each partition in order.
    ///
    /// - Parameters:
    ///   - isTrial: goes all the way and takes each effect back.
    ///   - report: is told of each message that fails, as it does.
    package func replay(
        _ spans: Spans, from reader: KafkaReader, isTrial: Bool, report: (Failure) -> Void
    ) async throws -> Tally {
        // In a trial as well: nothing but what somebody has decided already.
        for tenant in try await deadLetters.tenantsWithDiscards() {
            _ = try await deadLetters.carryDiscards(of: tenant)
        }
        var open = spans.filter { !$0.value.isEmpty }
        var tally = Tally()
        var failedKeys: [TopicPartition: Set<[UInt8]>] = [:]
        try reader.start(at: open.mapValues(\.lowerBound))
        while !open.isEmpty {
            let batch = try await reader.read(maximum: 500)
            try Task.checkCancellation()
            let wanted = batch.messages.filter { open[$0.source].map { $0.upperBound } ?? .min > $0.offset }
            let lanes = await lanes(of: wanted, failedKeys, isTrial)
            for (partition, lane) in lanes {
                tally += lane.tally
                failedKeys[partition] = lane.failedKeys
                for failure in lane.failures { report(failure) }
            }
            try Task.checkCancellation()
            for message in batch.messages
            where open[message.source].map({ message.offset + 1 >= $0.upperBound }) == true {
                open[message.source] = nil
            }
            // What was at the end of a span may have been removed by the broker since it was measured.
            for partition in batch.ends.keys { open[partition] = nil }
        }
        return tally
    }

    private func lanes(
        of messages: [KafkaMessage], _ failedKeys: [TopicPartition: Set<[UInt8]>], _ isTrial: Bool
    ) async -> [TopicPartition: Lane] {
        await withTaskGroup(of: (TopicPartition, Lane).self) { group in
            for (partition, messages) in Dictionary(grouping: messages, by: \.source) {
                group.addTask {
                    var lane = Lane(failedKeys: failedKeys[partition] ?? [])
                    for message in messages where !Task.isCancelled { await take(message, in: &lane, isTrial) }
                    return (partition, lane)
                }
            }
            return await group.reduce(into: [:]) { lanes, lane in lanes[lane.0] = lane.1 }
        }
    }

    private func take(_ message: KafkaMessage, in lane: inout Lane, _ isTrial: Bool) async {
        if let key = message.key, lane.failedKeys.contains(key) {
            lane.tally.heldBack += 1
            return
        }
        do {
            let event = try ReceivedEvent(message)
            let reactions = try reactions(to: event, from: message)
            guard !reactions.isEmpty else {
                lane.tally.ignored += 1
                return
            }
            var isNew = false
            for reaction in reactions {
                let outcome = try await inbox.process(
                    event, by: reaction, mode: isTrial ? .trial : .live(key: message.key))
                isNew = isNew || outcome == .processed
            }
            if isNew { lane.tally.processed += 1 } else { lane.tally.duplicates += 1 }
        } catch {
            lane.tally.failed += 1
            lane.failures.append(Failure(message: message, reason: "\(error)"))
            if let key = message.key { lane.failedKeys.insert(key) }
        }
    }

    /// Those that read this version; one that comes otherwise as well is left to the version that they read.
    private func reactions(to event: ReceivedEvent, from message: KafkaMessage) throws(Rejection) -> [Subscription] {
        var reactions: [Subscription] = []
        for (reaction, reading) in subscriptions.readings(of: event.type, alsoAs: event.alsoAs) {
            guard reaction.topic == message.topic, reaction.source == event.source else {
                throw Rejection("\(event.type) comes from \(reaction.source) on \(reaction.topic) alone")
            }
            switch reading {
            case .readable: reactions.append(reaction)
            case .comesOtherwise: break
            case .unknown: throw Rejection("\(event.type) is a version that this program can't read")
            }
        }
        return reactions
    }
}

extension SpanReplay.Tally {
    fileprivate static func += (sum: inout Self, more: Self) {
        sum.processed += more.processed
        sum.duplicates += more.duplicates
        sum.ignored += more.ignored
        sum.failed += more.failed
        sum.heldBack += more.heldBack
    }
}
