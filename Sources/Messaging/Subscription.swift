package import Kernel
package import Tenancy

/// An integration event of a known contract, as a reaction sees it.
package struct IncomingEvent<Payload: IntegrationEvent>: Sendable {
    package let id: EventID
    package let time: Timestamp
    package let payload: Payload
}

/// One event type of another context, and what it sets off in this one.
package struct Subscription: Sendable {
    /// Names the reaction in the inbox and in logs: it never changes once deployed, or the past would happen again.
    package let reaction: String
    /// The newest version's; `types` are all that can be read.
    package let eventType: String
    package let types: [String]
    package let topic: String
    /// The only source that the event may name.
    let source: String
    let react: @Sendable (ReceivedEvent, TenantTransaction) async throws -> Void

    /// The reaction runs inside the inbox's transaction: once for each event, however often the event arrives.
    ///
    /// It may run again when its transaction fails. A `Rejection` sends the event to the dead letters at once, any
    /// other error is retried first.
    package static func on<Payload: IntegrationEvent>(
        _ type: Payload.Type, named reaction: String,
        _ react: @escaping @Sendable (IncomingEvent<Payload>, TenantTransaction) async throws -> Void
    ) -> Subscription {
        let context = Payload.type.prefix { $0 != "." }
        return Subscription(
            reaction: reaction, eventType: Payload.type, types: VersionedPayload<Payload>.types, topic: Payload.topic,
            source: eventSource(of: String(context))
        ) { event, transaction in
            let payload = try VersionedPayload<Payload>.read(event)
            try await react(IncomingEvent(id: event.factID, time: event.time, payload: payload), transaction)
        }
    }
}
