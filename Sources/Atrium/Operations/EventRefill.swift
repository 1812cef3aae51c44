import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Tenancy

/// Has what a context missed be published again from the outboxes, and lets it go on behind the gap.
struct EventRefill: Sendable {
    /// An outbox that holds events of the topics that something is missing of.
    struct Source: Sendable {
        let schema: String
        let database: DatabaseID
        /// When the first event was recorded that was missed; nil where the outbox holds none.
        let from: Timestamp?
        /// From when on the outbox holds everything; nil where nothing has been dropped.
        let heldFrom: Timestamp?
    }

    struct Plan: Sendable {
        let gaps: [StreamGap]
        let sources: [Source]
        /// Nothing that was recorded before was looked at.
        let since: Timestamp?

        /// Whether what was looked at begins only after something may have been missed.
        var beginsLate: Bool {
            guard let since else { return false }
            return gaps.contains { $0.takenInUntil.map { $0 < since } ?? true }
        }

        /// Outboxes that may have held missed events which are dropped by now.
        var incomplete: [Source] {
            sources.filter { source in
                guard let heldFrom = source.heldFrom else { return false }
                return gaps.contains { $0.takenInUntil.map { $0 < heldFrom } ?? true }
            }
        }
    }

    let context: LoadedModule
    let data: DataServices
    let reader: KafkaReader
    let logger: Logger
    /// How long the relays are held from each renewal of the hold on, which is renewed four times as often.
    var holdTime = Duration.seconds(120)
    /// Longer than a relay goes on without knowing that it has lost its lease.
    var settling = RelayConfiguration().lease * 2

    private var gaps: StreamGaps {
        StreamGaps(schema: context.backbone.schema, dataPlane: data.plane, logger: logger)
    }

    /// Looks for what is missing, and changes nothing.
    ///
    /// - Parameter since: nothing that was recorded before is looked at.
    func plan(since: Timestamp?) async throws -> Plan {
        let open = try await gaps.open()
        let topics = Set(open.map(\.source.topic))
        let inboxes = try await data.databases(of: context.backbone.schema)()
        var sources: [Source] = []
        for topic in topics.sorted() where publishers(of: [topic]).isEmpty { throw NobodysTopic(topic: topic) }
        for schema in publishers(of: topics) {
            let missed = MissedEvents(
                of: schema, by: context.backbone.schema, context.subscriptions.filter { topics.contains($0.topic) },
                dataPlane: data.plane, logger: logger)
            let rewind = RelayRewind(schema: schema, dataPlane: data.plane, logger: logger)
            for database in try await data.databases(of: schema)() {
                sources.append(
                    Source(
                        schema: schema, database: database,
                        // A tenant's events and its inbox are in one database, but for those of the control plane.
                        from: try await missed.earliest(
                            in: database, since: since, inboxes: schema == "control" ? inboxes : [database]),
                        heldFrom: try await rewind.oldestHeld(in: database)))
            }
        }
        return Plan(gaps: open, sources: sources, since: since)
    }

    /// Of all contexts, whichever of them this process runs.
    private func publishers(of topics: Set<String>) -> [String] {
        Set(
            Modules.publishers.filter { $0.published.contains { topics.contains($0.topic) } }.map(\.backbone.schema)
        ).sorted()
    }

    /// Holds every relay of the topics until what they have sent has arrived, moves the cursors back, and has the group go
    /// on from where the topics end now: all that it missed comes behind that, each aggregate's events in their order.
    ///
    /// Cut off anywhere, it leaves the gaps open or everything as it should be: it is run again then.
    func carryOut(_ plan: Plan, by actor: String) async throws {
        var holds: [Hold] = []
        do {
            for source in plan.sources {
                let hold = RelayHold(schema: source.schema, dataPlane: data.plane, logger: logger)
                try await hold.take(in: source.database, for: holdTime)
                holds.append((hold, source))
            }
            try await withThrowingTaskGroup(of: Void.self) { [holds] group in
                group.addTask { try await keep(holds) }
                group.addTask { try await publishAgain(plan, under: holds, by: actor) }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            await letGo(holds)
            throw error
        }
        await letGo(holds)
    }

    private typealias Hold = (hold: RelayHold, source: Source)

    /// Looking for what was missed may take longer than a hold lasts.
    private func keep(_ holds: [Hold]) async throws {
        while true {
            try await Task.sleep(for: holdTime / 4)
            for (hold, source) in holds { try await hold.renew(in: source.database, for: holdTime) }
        }
    }

    private func publishAgain(_ plan: Plan, under holds: [Hold], by actor: String) async throws {
        try await Task.sleep(for: settling)
        let ends = try await reader.spans(of: plan.gaps.map(\.source))
        // Looked for again: what was published since the plan was made lies before the ends as well.
        for source in try await self.plan(since: plan.since).sources {
            guard let from = source.from else { continue }
            let held = holds.first { $0.source.schema == source.schema && $0.source.database == source.database }
            guard let hold = held?.hold else { throw NewOutbox(schema: source.schema, database: source.database) }
            let rewind = RelayRewind(schema: source.schema, dataPlane: data.plane, logger: logger)
            _ = try await rewind.rewind(to: .recorded(from), in: source.database, under: hold)
        }
        for gap in plan.gaps {
            guard let end = ends[gap.source]?.end else { throw UnseenPartition(partition: gap.source) }
            _ = try await gaps.resolve(gap.id, resumeAt: end, by: actor)
        }
    }

    private func letGo(_ holds: [Hold]) async {
        for (hold, source) in holds {
            do {
                try await hold.letGo(in: source.database)
            } catch {
                logger.warning(
                    "relays wait until the hold on them runs out",
                    metadata: ["context": "\(source.schema)", "database": "\(source.database)", "error": "\(error)"])
            }
        }
    }

    struct NobodysTopic: Error, CustomStringConvertible {
        let topic: String

        var description: String {
            "no context of this version publishes to \(topic): there is no outbox to refill it from"
        }
    }

    /// A tenant got a database of its own, or a topic another gap, since the plan was made.
    struct NewOutbox: Error, CustomStringConvertible {
        let schema: String
        let database: DatabaseID

        var description: String {
            "\(schema) in \(database) has missed events by now, and its relays are not held; run this again"
        }
    }

    struct UnseenPartition: Error, CustomStringConvertible {
        let partition: TopicPartition

        var description: String {
            "the broker does not show \(partition); see that its topic is there, and run this again"
        }
    }
}
