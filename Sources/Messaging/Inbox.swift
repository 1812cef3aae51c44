import Failpoints
import Kernel
package import Logging
import Postgres
package import Tenancy

/// Lets each event take effect once for each reaction.
package struct Inbox: Sendable {
    private let schema: String
    private let role: ContextRole
    private let dataPlane: DataPlane
    private let logger: Logger

    package enum Outcome: Hashable, Sendable {
        case processed
        case duplicate
    }

    package enum Mode: Sendable {
        /// The event's turn comes only when its key is not parked.
        case live(key: [UInt8]?)
        /// It is its key's turn, parked or not.
        case replay
        /// The same, and nothing of it stays.
        case trial
    }

    package init(role: ContextRole, dataPlane: DataPlane, logger: Logger) {
        schema = role.schema
        self.role = role
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// Runs a reaction, its inbox row and its own events in one transaction; throws `KeyParked`.
    package func process(
        _ event: ReceivedEvent, by subscription: Subscription, mode: Mode = .live(key: nil)
    ) async throws -> Outcome {
        var logger = logger
        logger[metadataKey: "event"] = "\(event.id)"
        logger[metadataKey: "event_type"] = "\(event.type)"
        logger[metadataKey: "reaction"] = "\(subscription.reaction)"
        let tenant = TenantContext(
            tenantID: event.tenantID, actor: .reaction(subscription.reaction),
            correlation: event.correlation.caused(by: event.id), need: event.need, logger: logger)
        do {
            try await dataPlane.write(tenant, as: role) { transaction in
                transaction.enqueue(row(of: event, subscription, mode))
                try await subscription.react([event], transaction)
                if case .trial = mode {
                    _ = try await transaction.rowsWriting("SELECT true")
                    throw Undone()
                }
                try await Failpoint.reach("inbox.before-commit")
            }
            try await Failpoint.reach("inbox.after-commit")
            tenant.logger.debug("event processed")
            return .processed
        } catch is Undone {
            return .processed
        } catch let error as PostgresError where isOfInbox(error) {
            tenant.logger.debug("event was processed before")
            return .duplicate
        } catch let error as PostgresError where error.sqlState == "AT004" {
            throw KeyParked()
        }
    }

    /// An event that is taken in together with others of its tenant.
    package struct Live: Sendable {
        package let event: ReceivedEvent
        package let key: [UInt8]

        package init(event: ReceivedEvent, key: [UInt8]) {
            self.event = event
            self.key = key
        }
    }

    /// Takes events of one tenant and of different keys in, in one transaction: all that are new and whose turn it is,
    /// or none of them.
    ///
    /// - Returns: what became of each; nothing of one whose key is parked.
    package func process(_ events: [Live], by subscription: Subscription) async throws -> [Outcome?] {
        guard let first = events.first?.event else { return [] }
        var logger = logger
        logger[metadataKey: "reaction"] = "\(subscription.reaction)"
        logger[metadataKey: "events"] = "\(events.count)"
        let tenant = TenantContext(
            tenantID: first.tenantID, actor: .reaction(subscription.reaction), correlation: .new(),
            hasSeveralCauses: true, logger: logger)
        let outcomes = try await standing(of: events, subscription, tenant)
        let new = zip(events, outcomes).filter { $1 == .processed }.map(\.0)
        guard !new.isEmpty else { return outcomes }
        try await dataPlane.write(tenant, as: role) { transaction in
            transaction.enqueue(rows(of: new, subscription))
            try await subscription.react(new.map(\.event), transaction)
            try await Failpoint.reach("inbox.before-commit")
        }
        try await Failpoint.reach("inbox.after-commit")
        return outcomes
    }

    /// What there is to do about each, as far as can be told before the transaction: the rows decide.
    ///
    /// In a transaction of its own, since the locks of a look at all partitions would last as long as the reaction.
    private func standing(
        of events: [Live], _ subscription: Subscription, _ tenant: TenantContext
    ) async throws -> [Outcome?] {
        let rows = try await dataPlane.query(
            tenant, as: role, byIndex: true,
            """
            SELECT k.is_known, p.is_parked
            FROM unnest(\(events.map(\.event.factID)), \(events.map(\.key))) WITH ORDINALITY AS e (event_id, key, place)
            LEFT JOIN LATERAL (
                SELECT true AS is_known FROM \(unsafeSQL: schema).inbox i
                WHERE i.tenant_id = \(tenant.tenantID) AND i.event_id = e.event_id
                    AND i.reaction = \(subscription.reaction) LIMIT 1) AS k ON true
            LEFT JOIN LATERAL (
                SELECT true AS is_parked FROM \(unsafeSQL: schema).parked_keys p
                WHERE p.tenant_id = \(tenant.tenantID) AND p.topic = \(subscription.topic)
                    AND p.key = e.key LIMIT 1) AS p ON true
            ORDER BY e.place
            """)
        return try rows.map { row in
            let (isKnown, isParked) = try row.decode((Bool?, Bool?).self)
            if isKnown != nil { return .duplicate }
            return isParked == nil ? .processed : nil
        }
    }

    /// One that is known or whose key is parked by now undoes all. In the order of events, in which no two transactions
    /// can wait for each other.
    private func rows(of events: [Live], _ subscription: Subscription) -> SQL {
        let tenant = events[0].event.tenantID
        return """
            INSERT INTO \(unsafeSQL: schema).inbox (tenant_id, event_id, reaction)
            SELECT \(tenant), e.event_id, platform.unless_parked(\(subscription.reaction), EXISTS (
                SELECT FROM \(unsafeSQL: schema).parked_keys p
                WHERE p.tenant_id = \(tenant) AND p.topic = \(subscription.topic) AND p.key = e.key))
            FROM unnest(\(events.map(\.event.factID)), \(events.map(\.key))) AS e (event_id, key)
            ORDER BY e.event_id
            """
    }

    private func row(of event: ReceivedEvent, _ subscription: Subscription, _ mode: Mode) -> SQL {
        guard case .live(let key?) = mode else {
            return """
                INSERT INTO \(unsafeSQL: schema).inbox (tenant_id, event_id, reaction)
                VALUES (\(event.tenantID), \(event.factID), \(subscription.reaction))
                """
        }
        return """
            INSERT INTO \(unsafeSQL: schema).inbox (tenant_id, event_id, reaction)
            VALUES (\(event.tenantID), \(event.factID), platform.unless_parked(\(subscription.reaction), EXISTS (
                SELECT FROM \(unsafeSQL: schema).parked_keys
                WHERE tenant_id = \(event.tenantID) AND topic = \(subscription.topic) AND key = \(key))))
            """
    }

    /// The row of one of the inbox's parts is in the way.
    private func isOfInbox(_ error: PostgresError) -> Bool {
        error.sqlState == "23505" && error.schema == schema && error.table?.hasPrefix("inbox") == true
    }

    private struct Undone: Error {}
}

/// An event came behind one of its key that has not got through.
package struct KeyParked: Error, CustomStringConvertible {
    package var description: String { "the key of the event is parked" }
}
