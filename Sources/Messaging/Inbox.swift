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
                try await subscription.react(event, transaction)
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
