package import Foundation
package import Kernel
package import Tenancy

/// One fact in every version that it is published in, newest first: a reader takes the first one that it knows.
package struct OutgoingFact: Sendable {
    package let events: [OutgoingEvent]
    /// What set it off, where that is not the same for all of the transaction.
    let correlation: Correlation?

    /// The versions know one another by their types, and are one fact by the identifier of the oldest: whoever has
    /// dealt with that before there was another version knows the fact again.
    package init(
        _ event: any IntegrationEvent, aggregateID: UUID, aggregateVersion: Int64, at occurredAt: Timestamp,
        identifiers: IdentifierSource, correlation: Correlation? = nil
    ) throws {
        self.correlation = correlation
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
    /// Adds every version of facts to the transaction.
    package func enqueue(_ facts: [OutgoingFact], in transaction: TenantTransaction) throws {
        let events = facts.flatMap { fact in
            fact.events.map { ($0, fact.correlation) }
        }
        // An array of arrays has no place in an array of columns; few events have extensions.
        if events.count > 1, events.allSatisfy({ $0.0.extensionList == nil }) {
            try enqueue(together: events, in: transaction)
        } else {
            for (event, correlation) in events { try enqueue(event, because: correlation, in: transaction) }
        }
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
