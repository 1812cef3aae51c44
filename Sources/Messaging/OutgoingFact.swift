package import Foundation
package import Kernel
package import Tenancy

/// One fact in every version that it is published in, newest first: a reader takes the first one that it knows.
package struct OutgoingFact: Sendable {
    package let events: [OutgoingEvent]

    /// The versions know one another by their types, and are one fact by the identifier of the oldest: whoever has
    /// dealt with that before there was another version knows the fact again.
    package init(
        _ event: any IntegrationEvent, aggregateID: UUID, aggregateVersion: Int64, at occurredAt: Timestamp,
        identifiers: IdentifierSource
    ) throws {
        let versions = event.inPublishedVersions.map { (event: $0, id: identifiers.next(EventID.self)) }
        events = try versions.map { version in
            let others = versions.filter { $0.id != version.id }.map { type(of: $0.event).type }
            return try OutgoingEvent(
                version.event, id: version.id, aggregateID: aggregateID, aggregateVersion: aggregateVersion,
                at: occurredAt, factID: others.isEmpty ? nil : versions.last?.id,
                extensions: others.isEmpty ? [:] : [CloudEventHeader.alsoAs: others.joined(separator: ",")])
        }
    }
}

extension Outbox {
    /// Adds every version of a fact to the transaction.
    package func enqueue(_ fact: OutgoingFact, in transaction: TenantTransaction) throws {
        for event in fact.events { try enqueue(event, in: transaction) }
    }
}

extension EventDeprecation {
    /// As the CloudEvents extension "Deprecation" has it.
    var headers: [String: String] {
        [
            CloudEventHeader.deprecated: "true", CloudEventHeader.deprecationFrom: from.description,
            CloudEventHeader.deprecationSunset: sunset.description, CloudEventHeader.deprecationMigration: migration,
        ]
    }
}
