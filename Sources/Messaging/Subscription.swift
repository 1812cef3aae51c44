import Kafka
package import Kernel
package import Tenancy

/// An integration event of a known contract, as a reaction sees it.
package struct IncomingEvent<Payload: IntegrationEvent>: Sendable {
    /// The same in every version that the fact is told in.
    package let id: EventID
    package let time: Timestamp
    package let payload: Payload
    /// What its consequences are published under.
    package let correlation: Correlation
}

/// One fact of another context, and what it sets off in this one.
package struct Subscription: Sendable {
    /// Names the reaction in the inbox and in logs: it never changes once deployed, or the past would happen again.
    package let reaction: String
    /// The version that the reaction is written for.
    package let eventType: String
    /// The types that can be read as what the reaction is written for, newest first.
    package let types: [String]
    package let topic: String
    /// The only source that the event may name.
    let source: String
    /// The type without its version.
    package let fact: String
    /// The versions of the fact that can be read as what the reaction is written for.
    package let versions: Set<Int>
    /// Whether the reaction takes several events in one transaction.
    let takesSeveral: Bool
    let react: @Sendable ([ReceivedEvent], TenantTransaction) async throws -> Void

    /// The reaction runs inside the inbox's transaction: once for each event, however often the event arrives.
    ///
    /// It may run again when its transaction fails. A `Rejection` sends the event to the dead letters at once, any
    /// other error is retried first; either way the later events of its key wait behind it.
    package static func on<Payload: IntegrationEvent>(
        _ type: Payload.Type, named reaction: String,
        _ react: @escaping @Sendable (IncomingEvent<Payload>, TenantTransaction) async throws -> Void
    ) -> Subscription {
        Subscription(type, named: reaction, takesSeveral: false) { events, transaction in
            for event in events { try await react(event, transaction) }
        }
    }

    /// The same for a reaction that takes what is there together: one event or several, of one tenant and of different
    /// keys, all in one transaction. Where that fails and the database is there, each comes again alone.
    ///
    /// It reads what it decides on before it writes, as for one event, and gives each event that it publishes the
    /// correlation of the one that caused it; publishing without one is refused.
    package static func onSeveral<Payload: IntegrationEvent>(
        _ type: Payload.Type, named reaction: String,
        _ react: @escaping @Sendable ([IncomingEvent<Payload>], TenantTransaction) async throws -> Void
    ) -> Subscription {
        Subscription(type, named: reaction, takesSeveral: true, react)
    }

    private init<Payload: IntegrationEvent>(
        _ type: Payload.Type, named reaction: String, takesSeveral: Bool,
        _ react: @escaping @Sendable ([IncomingEvent<Payload>], TenantTransaction) async throws -> Void
    ) {
        let context = Payload.type.prefix { $0 != "." }
        let types = VersionedPayload<Payload>.types
        self.reaction = reaction
        eventType = Payload.type
        self.types = types
        topic = Payload.topic
        source = eventSource(of: String(context))
        fact = FactType(Payload.type)?.fact ?? Payload.type
        versions = Set(types.compactMap { FactType($0)?.version })
        self.takesSeveral = takesSeveral
        self.react = { events, transaction in
            let incoming = try events.map { event in
                IncomingEvent(
                    id: event.factID, time: event.time, payload: try VersionedPayload<Payload>.read(event),
                    correlation: event.correlation.caused(by: event.id))
            }
            try await react(incoming, transaction)
        }
    }

    /// What is to be done about a fact that has come in this version.
    enum Reading: Int, Comparable {
        case readable
        /// It comes in a version that can be read as well.
        case comesOtherwise
        case unknown

        static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    }

    func reading(of type: String, alsoAs others: [String]) -> Reading {
        if reads(type) { return .readable }
        return others.contains(where: reads) ? .comesOtherwise : .unknown
    }

    /// Whether the event comes from where the fact is published.
    func isMeant(_ message: KafkaMessage, _ event: ReceivedEvent) -> Bool {
        message.topic == topic && event.source == source
    }

    private func reads(_ type: String) -> Bool {
        if type == eventType { return true }
        guard let type = FactType(type) else { return false }
        return type.fact == fact && versions.contains(type.version)
    }
}

/// The subscriptions of one context, found by what arrives.
struct SubscriptionTable: Sendable {
    let all: [Subscription]
    private let byFact: [String: [Subscription]]

    init(_ all: [Subscription]) {
        self.all = all
        byFact = Dictionary(grouping: all, by: \.fact)
    }

    /// Those to the fact that an event of this type tells, whatever its version; in the order they were declared.
    func to(_ type: String) -> [Subscription] {
        byFact[FactType(type)?.fact ?? type] ?? []
    }

    /// What a message has in common with those that it may be taken in with, as far as its headers say.
    func companions(of message: KafkaMessage) -> Companions? {
        guard let bytes = message.headers.first(where: { $0.name == CloudEventHeader.type })?.value,
            let type = String(validating: bytes, as: UTF8.self)
        else { return nil }
        let concerned = to(type)
        guard let first = concerned.first else { return .passingBy }
        return first.takesSeveral && concerned.count == 1 && message.key != nil ? .reaction(first.reaction) : nil
    }

    /// What each reaction to the fact does about it, where one reaction may be written for several versions.
    func readings(of type: String, alsoAs others: [String]) -> [(
        subscription: Subscription, reading: Subscription.Reading
    )] {
        var found: [(subscription: Subscription, reading: Subscription.Reading)] = []
        for subscription in to(type) {
            let reading = subscription.reading(of: type, alsoAs: others)
            guard let index = found.firstIndex(where: { $0.subscription.reaction == subscription.reaction }) else {
                found.append((subscription, reading))
                continue
            }
            if reading < found[index].reading { found[index] = (subscription, reading) }
        }
        return found
    }
}
