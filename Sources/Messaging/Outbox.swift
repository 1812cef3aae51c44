import Kernel
import Postgres
package import Tenancy

/// Where a context leaves its integration events: in the transaction of the aggregate that they come from.
package struct Outbox: Sendable {
    package let schema: String
    private let signal: RelaySignal

    package init(schema: String, signal: RelaySignal) {
        precondition(isPlainIdentifier(schema), "a schema is named by lower-case letters, digits and underscores")
        self.schema = schema
        self.signal = signal
    }

    /// Adds an event to the transaction, and wakes the relay once that has committed.
    package func enqueue(_ event: OutgoingEvent, in transaction: TenantTransaction) throws {
        let tenant = transaction.tenant
        guard event.tenantID == tenant.tenantID else { throw ForeignTenantEvent(type: event.type) }
        let correlation = tenant.correlation
        transaction.enqueue(
            """
            INSERT INTO \(unsafeSQL: schema).outbox (tenant_id, event_id, topic, type, aggregate_id, \
            aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload, fact_id, extensions)
            VALUES (\(tenant.tenantID), \(event.id), \(event.topic), \(event.type), \(event.aggregateID), \
            \(event.aggregateVersion), \(event.occurredAt), \(correlation.id), \(correlation.causation), \
            \(correlation.trace.description), \(event.payload), \(event.factID), \(event.extensionList))
            """)
        transaction.crashTested(as: "outbox")
        let database = transaction.database
        transaction.afterCommit { [signal] in signal.nudge(database) }
    }
}

/// A context tried to publish one tenant's event in another tenant's transaction.
package struct ForeignTenantEvent: Error, CustomStringConvertible {
    let type: String

    package var description: String { "an event \(type) names another tenant than its transaction" }
}
