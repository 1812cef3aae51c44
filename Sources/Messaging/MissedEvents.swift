import Foundation
package import Kernel
package import Logging
import Postgres
package import Tenancy

/// Looks for events that an outbox holds and a context has not taken in.
package struct MissedEvents: Sendable {
    private let publisher: String
    private let reader: String
    private let subscriptions: [Subscription]
    private let dataPlane: DataPlane
    private let logger: Logger
    private static let page = 5000

    /// - Parameters:
    ///   - publisher: the schema whose outbox is looked through.
    ///   - reader: the schema whose inbox should know the events.
    package init(
        of publisher: String, by reader: String, _ subscriptions: [Subscription], dataPlane: DataPlane, logger: Logger
    ) {
        self.publisher = publisher
        self.reader = reader
        self.subscriptions = subscriptions
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// When the earliest of them was recorded; nil where none is missing.
    ///
    /// - Parameters:
    ///   - since: nothing that was recorded before is looked at.
    ///   - inboxes: the databases that may hold the inbox's row of an event.
    package func earliest(
        in database: DatabaseID, since: Timestamp?, inboxes: [DatabaseID]
    ) async throws -> Timestamp? {
        var first: Timestamp?
        for shard in 0..<Int16(RelayStatements.shards) {
            guard let found = try await earliest(of: shard, in: database, since: since, inboxes: inboxes) else {
                continue
            }
            first = min(first ?? found, found)
        }
        return first
    }

    private struct Held {
        let transactionID: String
        let position: Int64
        let recordedAt: Timestamp
        let tenant: TenantID
        let fact: EventID
        let type: String
    }

    private func earliest(
        of shard: Int16, in database: DatabaseID, since: Timestamp?, inboxes: [DatabaseID]
    ) async throws -> Timestamp? {
        let types = subscriptions.flatMap(\.types)
        var (transactionID, position) = ("0", Int64(0))
        // The first one that is missing settles it: all that comes behind it is published again with it.
        while true {
            let rows = try await crossTenant(publisher, "look for events that were missed", in: database) {
                try await $0.rows(
                    """
                    SELECT o.transaction_id::text, o.position, o.recorded_at, o.tenant_id,
                        \(OutboxRow.factID), o.type
                    FROM \(unsafeSQL: publisher).outbox o
                    WHERE o.shard = \(shard) AND (o.transaction_id, o.position) > (\(transactionID)::xid8, \(position))
                        AND o.type = ANY (\(types)::text[]) AND o.recorded_at >= coalesce(\(since), '-infinity')
                    ORDER BY o.transaction_id, o.position LIMIT \(Self.page)
                    """)
            }
            let held = try rows.map { row in
                let (transactionID, position, recorded, tenant, fact, type) = try row.decode(
                    (String, Int64, Timestamp, TenantID, EventID, String).self)
                return Held(
                    transactionID: transactionID, position: position, recordedAt: recorded, tenant: tenant, fact: fact,
                    type: type)
            }
            if let first = try await firstMissing(of: held, inboxes) { return first.recordedAt }
            guard held.count == Self.page, let last = held.last else { return nil }
            (transactionID, position) = (last.transactionID, last.position)
        }
    }

    /// The first that some reaction has no row of in any of the inboxes.
    private func firstMissing(of held: [Held], _ inboxes: [DatabaseID]) async throws -> Held? {
        guard !held.isEmpty else { return nil }
        var missing = Set(held.indices)
        var known: [Int: Set<String>] = [:]
        for database in inboxes where !missing.isEmpty {
            let rows = try await crossTenant(reader, "see which events were taken in", in: database) {
                try await $0.rows(
                    """
                    SELECT h.place, i.reaction
                    FROM unnest(\(held.map(\.tenant))::uuid[], \(held.map(\.fact))::uuid[]) WITH ORDINALITY
                        AS h (tenant_id, fact_id, place)
                    JOIN \(unsafeSQL: reader).inbox i ON i.tenant_id = h.tenant_id AND i.event_id = h.fact_id
                    """)
            }
            for row in rows {
                let (place, reaction) = try row.decode((Int64, String).self)
                known[Int(place) - 1, default: []].insert(reaction)
            }
            missing = missing.filter { index in
                subscriptions.contains { subscription in
                    subscription.types.contains(held[index].type)
                        && !(known[index]?.contains(subscription.reaction) ?? false)
                }
            }
        }
        return missing.min().map { held[$0] }
    }

    private func crossTenant<Result>(
        _ schema: String, _ reason: StaticString, in database: DatabaseID,
        _ body: (CrossTenantTransaction) async throws -> Result
    ) async throws -> Result {
        try await dataPlane.crossTenant(
            in: database, as: .worker(schema), reason: .once(reason), logger: logger, body)
    }
}
