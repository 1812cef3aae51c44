package import Foundation
package import Kafka
package import Kernel

/// A message that was given up on, or waits behind one, kept whole so that it can be looked at and sent through again.
package struct DeadLetter: Sendable {
    package enum Direction: String, Sendable {
        case incoming, outgoing
    }

    /// Why it lies here.
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        /// Its reaction kept failing.
        case failed
        /// It can never be processed as it is.
        case rejected
        /// It came behind another of its key.
        case waiting
        /// This program knows the fact, but not in this version.
        case unknownVersion = "unknown_version"
        /// Nobody is registered under its tenant's identifier.
        case unknownTenant = "unknown_tenant"
        /// The broker refused it for good.
        case refused
    }

    package enum Resolution: String, Hashable, Sendable {
        case replayed, discarded
    }

    package let id: UUID
    /// The order among letters of one database.
    package var place: Int64 = 0
    package let direction: Direction
    package let kind: Kind
    /// Whether the other events of its key don't wait for it.
    package var isAlone = false
    package let tenantID: TenantID?
    package let reaction: String?
    package let topic: String
    package let partition: Int32?
    package let offset: Int64?
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [KafkaHeader]
    package let eventID: String?
    /// What the inbox knows it by, where that can be read.
    package let factID: EventID?
    package let eventType: String?
    package let reason: String
    package let attempts: Int
    package let failedAt: Timestamp
    package var resolvedAt: Timestamp?
    package var resolution: Resolution?
    package var resolvedBy: String?
    package var resolutionReason: String?

    /// The aggregate it belongs to, where it says so.
    package var eventKey: EventKey? {
        guard !isAlone, let tenantID, let key else { return nil }
        return EventKey(tenantID: tenantID, topic: topic, key: key)
    }

    static func incoming(
        _ message: KafkaMessage, _ kind: Kind, reaction: String?, reason: String, attempts: Int
    ) -> DeadLetter {
        let attributes = EventAttributes(headers: message.headers, value: message.value)
        return DeadLetter(
            id: IdentifierSource.system.next(EventID.self).uuid, direction: .incoming, kind: kind,
            tenantID: attributes.identifier("tenantid"), reaction: reaction, topic: message.topic,
            partition: message.partition, offset: message.offset, key: message.key, value: message.value,
            headers: message.headers, eventID: attributes.readable("id").flatMap(keepable), factID: attributes.factID,
            eventType: attributes.readable("type").flatMap(keepable), reason: keepable(reason) ?? "unprintable",
            attempts: attempts, failedAt: WallClock.system.now())
    }

    static func outgoing(_ record: KafkaRecord, eventID: EventID, reason: String) -> DeadLetter {
        let fact = record.headers.text(CloudEventHeader.fact).flatMap { EventID($0) }
        return DeadLetter(
            id: IdentifierSource.system.next(EventID.self).uuid, direction: .outgoing, kind: .refused, isAlone: true,
            tenantID: record.headers.text(CloudEventHeader.tenant).flatMap { TenantID($0) }, reaction: nil,
            topic: record.topic, partition: nil, offset: nil, key: record.key, value: record.value,
            headers: record.headers, eventID: eventID.description, factID: fact ?? eventID,
            eventType: record.headers.text(CloudEventHeader.type), reason: reason, attempts: 1,
            failedAt: WallClock.system.now())
    }
}

/// What a stranger sent, as far as it may stand in a column of its own; the message is kept whole beside it.
func keepable(_ text: String) -> String? {
    text.utf8.contains(0) ? nil : String(text.prefix(500))
}

extension [KafkaHeader] {
    /// The value of the first header of that name that is UTF-8 text.
    func text(_ name: String) -> String? {
        first { $0.name.lowercased() == name }?.value.flatMap { String(validating: $0, as: UTF8.self) }
    }
}
