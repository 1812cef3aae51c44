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
        /// As the message with that key arrives.
        case live(key: [UInt8]?)
        /// The same, and nothing of it stays.
        case trial
    }

    package init(role: ContextRole, dataPlane: DataPlane, logger: Logger) {
        schema = role.schema
        self.role = role
        self.dataPlane = dataPlane
        self.logger = logger
    }

    /// Runs a reaction, its inbox row and its own events in one transaction.
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
                transaction.enqueue(
                    """
                    INSERT INTO \(unsafeSQL: schema).inbox (tenant_id, event_id, reaction)
                    VALUES (\(event.tenantID), \(event.id), \(subscription.reaction))
                    """)
                try await subscription.react(event, transaction)
                if case .trial = mode {
                    _ = try await transaction.rowsWriting("SELECT true")
                    throw Undone()
                }
            }
            tenant.logger.debug("event processed")
            return .processed
        } catch is Undone {
            return .processed
        } catch let error as PostgresError where error.constraint == "inbox_pkey" {
            tenant.logger.debug("event was processed before")
            return .duplicate
        }
    }
}

/// Takes a trial's transaction back.
private struct Undone: Error {}
