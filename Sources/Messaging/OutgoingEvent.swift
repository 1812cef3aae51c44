package import Foundation
package import Kernel

/// An integration event on its way out, with what its envelope needs to know of the aggregate it came from.
package struct OutgoingEvent: Sendable {
    package let id: EventID
    package let type: String
    package let topic: String
    package let tenantID: TenantID
    package let aggregateID: UUID
    package let aggregateVersion: Int64
    package let occurredAt: Timestamp
    /// The JSON that will be the data of the CloudEvent, byte for byte.
    package let payload: String
    /// Shared by all versions that one fact is published in; nothing where there is one.
    package let factID: EventID?
    /// Further headers that not every event has, by name.
    let extensions: [String: String]

    package init<Event: IntegrationEvent>(
        _ event: Event, id: EventID, aggregateID: UUID, aggregateVersion: Int64, at occurredAt: Timestamp,
        factID: EventID? = nil, extensions: [String: String] = [:]
    ) throws {
        self.id = id
        self.type = Event.type
        self.topic = Event.topic
        self.tenantID = event.tenantId
        self.aggregateID = aggregateID
        self.aggregateVersion = aggregateVersion
        self.occurredAt = occurredAt
        self.factID = factID
        self.extensions = extensions.merging(Event.deprecation?.headers ?? [:]) { own, _ in own }
        self.payload = String(decoding: try Self.encoder.encode(event), as: UTF8.self)
    }

    /// Names and values in turn, as the outbox keeps them; nothing for the many events that have none.
    var extensionList: [String]? {
        extensions.isEmpty ? nil : extensions.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()
}
