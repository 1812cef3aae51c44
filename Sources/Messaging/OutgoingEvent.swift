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

    package init<Event: IntegrationEvent>(
        _ event: Event, id: EventID, aggregateID: UUID, aggregateVersion: Int64, at occurredAt: Timestamp
    ) throws {
        self.id = id
        self.type = Event.type
        self.topic = Event.topic
        self.tenantID = event.tenantId
        self.aggregateID = aggregateID
        self.aggregateVersion = aggregateVersion
        self.occurredAt = occurredAt
        self.payload = String(decoding: try Self.encoder.encode(event), as: UTF8.self)
    }

    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()
}
