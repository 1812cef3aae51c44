package import Kernel
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
    ///
    /// - Parameter correlation: what set it off; the transaction's own unless told.
    package func enqueue(
        _ event: OutgoingEvent, because correlation: Correlation? = nil, in transaction: TenantTransaction
    ) throws {
        let tenant = transaction.tenant
        let correlation = try cause(of: event, correlation, in: transaction)
        transaction.enqueue(
            """
            INSERT INTO \(unsafeSQL: schema).outbox (tenant_id, event_id, topic, type, aggregate_id, \
            aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload, fact_id, extensions)
            VALUES (\(tenant.tenantID), \(event.id), \(event.topic), \(event.type), \(event.aggregateID), \
            \(event.aggregateVersion), \(event.occurredAt), \(correlation.id), \(correlation.causation), \
            \(correlation.trace.description), \(event.payload), \(event.factID), \(event.extensionList))
            """)
        wake(in: transaction)
    }

    /// The same for many, in one statement and in their order; none of them has extensions.
    func enqueue(together given: [(OutgoingEvent, Correlation?)], in transaction: TenantTransaction) throws {
        let events = try given.map { ($0, try cause(of: $0, $1, in: transaction)) }
        transaction.enqueue(
            """
            INSERT INTO \(unsafeSQL: schema).outbox (tenant_id, event_id, topic, type, aggregate_id, \
            aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload, fact_id)
            SELECT \(transaction.tenant.tenantID), event_id, topic, type, aggregate_id, aggregate_version, occurred_at, \
            correlation_id, causation_id, traceparent, payload, fact_id
            FROM unnest(\(events.map(\.0.id)), \(events.map(\.0.topic)), \(events.map(\.0.type)), \
            \(events.map(\.0.aggregateID)), \(events.map(\.0.aggregateVersion)), \(events.map(\.0.occurredAt)), \
            \(events.map(\.1.id)), \(events.map(\.1.causation)), \(events.map(\.1.trace.description)), \
            \(events.map(\.0.payload)), \(events.map(\.0.factID))) WITH ORDINALITY AS event (event_id, topic, type, \
            aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload, fact_id, \
            place)
            ORDER BY place
            """)
        wake(in: transaction)
    }

    private func cause(
        of event: OutgoingEvent, _ correlation: Correlation?, in transaction: TenantTransaction
    ) throws -> Correlation {
        let tenant = transaction.tenant
        guard event.tenantID == tenant.tenantID else { throw ForeignTenantEvent(type: event.type) }
        if let correlation { return correlation }
        guard !tenant.hasSeveralCauses else { throw EventWithoutCause(type: event.type) }
        return tenant.correlation
    }

    private func wake(in transaction: TenantTransaction) {
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

/// A reaction to several events published one of its own without saying which of them caused it.
package struct EventWithoutCause: Error, CustomStringConvertible {
    let type: String

    package var description: String { "an event \(type) does not say which of several events caused it" }
}
