import Foundation
import Kafka
import Kernel
import Logging
import Metrics
import Postgres
import Tenancy

/// Publishes one outbox, of one context in one database, in the order of commits, at least once, by one process at a time.
///
/// A cursor moves only after the broker has acknowledged; a relay that dies between the two publishes again, and the
/// consumers' inboxes drop what they know.
struct Relay: Sendable {
    private let dataPlane: DataPlane
    private let producer: KafkaProducer
    private let database: DatabaseID
    private let notices: OutboxNotices
    private let schema: String
    private let role: CrossTenantRole
    private let lease: RelayLease
    private let configuration: RelayConfiguration
    private let logger: Logger
    private let published: Counter
    private let setAside: Counter
    private let lag: Gauge

    init(
        schema: String, in database: DatabaseID, dataPlane: DataPlane, producer: KafkaProducer,
        notices: OutboxNotices, configuration: RelayConfiguration, logger: Logger
    ) {
        self.schema = schema
        self.database = database
        self.dataPlane = dataPlane
        self.producer = producer
        self.notices = notices
        self.configuration = configuration
        role = .worker(schema)
        lease = RelayLease(schema: schema, owner: UUID(), duration: configuration.lease)
        var logger = logger
        logger[metadataKey: "context"] = "\(schema)"
        logger[metadataKey: "database"] = "\(database)"
        self.logger = logger
        published = Counter(label: "atrium_outbox_published_total", dimensions: [("context", schema)])
        setAside = Counter(label: "atrium_outbox_set_aside_total", dimensions: [("context", schema)])
        lag = Gauge(label: "atrium_outbox_lag_seconds", dimensions: [("context", schema)])
    }

    /// Publishes whenever it is nudged, and until there is nothing more; ends with the nudges.
    func run(_ nudges: AsyncStream<Void>) async {
        var held: Held?
        var settling = configuration.settling
        for await _ in nudges {
            var outcome = Round.more
            while outcome != .idle, !Task.isCancelled {
                do {
                    outcome = try await publishOnce(&held)
                    if outcome == .unsettled {
                        try await settling.wait()
                    } else {
                        settling = configuration.settling
                    }
                } catch {
                    guard !Task.isCancelled else { break }
                    logger.warning("relay will try again", metadata: ["error": "\(error)"])
                    held = nil
                    outcome = .idle
                }
            }
        }
    }

    /// The lease as this process last heard of it.
    private struct Held {
        var position: OutboxPosition
        var renewedAt: ContinuousClock.Instant
    }

    private enum Round {
        /// There may be more to publish right now.
        case more
        /// Events wait for a transaction that is about to end.
        case unsettled
        case idle
    }

    private func publishOnce(_ held: inout Held?) async throws -> Round {
        if held.map({ $0.renewedAt.duration(to: .now) > configuration.lease / 3 }) ?? true {
            let asked = ContinuousClock.now
            held = try await crossTenant(.routine("take or renew the relay's lease")) { try await lease.acquire($0) }
                .map { Held(position: $0, renewedAt: asked) }
        }
        guard let from = held?.position else {
            await notices.send(schema, in: database)
            return .idle
        }
        let rows = try await read(after: from)
        let settled = rows.prefix { $0.isSettled }
        lag.record(rows.first.map { WallClock.system.now().duration(since: $0.occurredAt) / .seconds(1) } ?? 0)
        guard let last = settled.last else { return rows.isEmpty ? .idle : .unsettled }
        try await publish(settled)
        let asked = ContinuousClock.now
        let kept = try await crossTenant(.routine("advance the relay's cursor")) {
            try await lease.advance(to: last.position, in: $0)
        }
        held = kept ? Held(position: last.position, renewedAt: asked) : nil
        return settled.count == rows.count && rows.count < configuration.batch ? .idle : .more
    }

    private func read(after position: OutboxPosition) async throws -> [OutboxRow] {
        let rows = try await crossTenant(.routine("read the outbox")) {
            try await $0.rows(
                """
                SELECT \(OutboxRow.columns) FROM \(unsafeSQL: schema).outbox o
                WHERE (o.transaction_id, o.position) > (\(position.transactionID)::text::xid8, \(position.position))
                ORDER BY o.transaction_id, o.position LIMIT \(configuration.batch)
                """)
        }
        return try rows.map { try OutboxRow($0, from: database.server) }
    }

    /// Sends a batch until the broker has taken, or for ever refused, each of it; order within a key is kept.
    private func publish(_ batch: ArraySlice<OutboxRow>) async throws {
        var rest = batch
        var backoff = Backoff()
        while !rest.isEmpty {
            try Task.checkCancellation()
            let results = await producer.produce(rest.map(\.record))
            var again: [OutboxRow] = []
            var held: Set<[UInt8]> = []
            for (row, result) in zip(rest, results) {
                let key = row.record.key ?? []
                switch result {
                case .failure(let error) where error.isRetriable:
                    held.insert(key)
                    again.append(row)
                // What came after a failure of its key goes again behind it: twice, but in order.
                case .success where held.contains(key): again.append(row)
                case .success: published.increment()
                case .failure(let error): try await setAside(row, because: error)
                }
            }
            rest = again[...]
            if !again.isEmpty {
                logger.warning("broker did not take events, sending again", metadata: ["events": "\(again.count)"])
                try await backoff.wait()
                let kept = try await crossTenant(.routine("renew the relay's lease")) { try await lease.acquire($0) }
                guard kept != nil else { throw LeaseLost() }
            }
        }
    }

    /// Another process publishes now; it begins at the cursor.
    private struct LeaseLost: Error, CustomStringConvertible {
        let description = "the lease has gone to another process"
    }

    private func setAside(_ row: OutboxRow, because error: KafkaError) async throws {
        logger.error(
            "broker refused an event for good; it is kept as a dead letter",
            metadata: ["event": "\(row.eventID)", "error": "\(error)"])
        try await crossTenant(.once("set an event aside")) { transaction in
            transaction.enqueue(
                DeadLetter.outgoing(row.record, eventID: row.eventID, reason: "\(error)").insertion(into: schema))
        }
        setAside.increment()
    }

    /// Lets another process take over at once.
    func releaseLease() async {
        try? await crossTenant(.routine("release the relay's lease")) { lease.release($0) }
    }

    private func crossTenant<Result>(
        _ reason: CrossTenantReason, _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(in: database, as: role, reason: reason, logger: logger, body)
    }
}
