import Crypto
package import Foundation
package import Kafka
package import Kernel
import Postgres

/// A message that was given up on, kept whole so that it can be looked at and sent through again.
package struct DeadLetter: Sendable {
    package enum Direction: String, Sendable {
        case incoming, outgoing
    }

    package let id: UUID
    package let direction: Direction
    package let tenantID: TenantID?
    package let reaction: String?
    package let topic: String
    package let partition: Int32?
    package let offset: Int64?
    package let key: [UInt8]?
    package let value: [UInt8]?
    package let headers: [KafkaHeader]
    package let eventID: String?
    package let eventType: String?
    package let reason: String
    package let attempts: Int
    package let failedAt: Timestamp
    package let replayedAt: Timestamp?

    static func incoming(
        _ message: KafkaMessage, reaction: String?, reason: String, attempts: Int
    ) -> DeadLetter {
        func header(_ name: String) -> String? { message.headers.text(name) }
        return DeadLetter(
            id: IdentifierSource.system.next(EventID.self).uuid, direction: .incoming,
            tenantID: header(CloudEventHeader.tenant).flatMap { TenantID($0) }, reaction: reaction,
            topic: message.topic, partition: message.partition, offset: message.offset, key: message.key,
            value: message.value, headers: message.headers, eventID: header(CloudEventHeader.id).flatMap(keepable),
            eventType: header(CloudEventHeader.type).flatMap(keepable), reason: keepable(reason) ?? "unprintable",
            attempts: attempts,
            failedAt: WallClock.system.now(), replayedAt: nil)
    }

    static func outgoing(_ record: KafkaRecord, eventID: EventID, reason: String) -> DeadLetter {
        DeadLetter(
            id: IdentifierSource.system.next(EventID.self).uuid, direction: .outgoing,
            tenantID: record.headers.text(CloudEventHeader.tenant).flatMap { TenantID($0) }, reaction: nil,
            topic: record.topic, partition: nil, offset: nil, key: record.key, value: record.value,
            headers: record.headers, eventID: eventID.description,
            eventType: record.headers.text(CloudEventHeader.type), reason: reason, attempts: 1,
            failedAt: WallClock.system.now(), replayedAt: nil)
    }

    func insertion(into schema: String) -> SQL {
        """
        INSERT INTO \(unsafeSQL: schema).dead_letters (id, tenant_id, direction, reaction, topic, partition, "offset", \
        key, value, header_names, header_values, event_id, event_type, reason, attempts, failed_at, digest)
        VALUES (\(id), \(tenantID), \(direction.rawValue), \(reaction), \(topic), \(partition), \(offset), \(key), \
        \(value), \(headers.map(\.name)), \(headers.map(\.value)), \(eventID), \(eventType), \(reason), \
        \(Int32(attempts)), \(failedAt), \(digest))
        ON CONFLICT ON CONSTRAINT dead_letters_once DO NOTHING RETURNING true
        """
    }

    private var digest: [UInt8] {
        var hash = SHA256()
        for part in [key, value] + headers.flatMap({ [Array($0.name.utf8), $0.value] }) {
            withUnsafeBytes(of: Int64(part?.count ?? -1)) { hash.update(bufferPointer: $0) }
            hash.update(data: part ?? [])
        }
        return Array(hash.finalize())
    }

    static var columns: SQL {
        """
        id, direction, tenant_id, reaction, topic, partition, "offset", key, value, header_names, header_values, \
        event_id, event_type, reason, attempts, failed_at, replayed_at
        """
    }

    init(_ row: Row) throws {
        let names: [String]
        let values: [[UInt8]?]
        let directionName: String
        let attemptCount: Int32
        (
            id, directionName, tenantID, reaction, topic, partition, offset, key, value, names, values, eventID,
            eventType, reason, attemptCount, failedAt, replayedAt
        ) = try row.decode(
            (
                UUID, String, TenantID?, String?, String, Int32?, Int64?, [UInt8]?, [UInt8]?, [String], [[UInt8]?],
                String?, String?, String, Int32, Timestamp, Timestamp?
            ).self)
        direction = directionName == Direction.incoming.rawValue ? .incoming : .outgoing
        attempts = Int(attemptCount)
        headers = zip(names, values).map { KafkaHeader(name: $0, value: $1) }
    }

    private init(
        id: UUID, direction: Direction, tenantID: TenantID?, reaction: String?, topic: String, partition: Int32?,
        offset: Int64?, key: [UInt8]?, value: [UInt8]?, headers: [KafkaHeader], eventID: String?, eventType: String?,
        reason: String, attempts: Int, failedAt: Timestamp, replayedAt: Timestamp?
    ) {
        self.id = id
        self.direction = direction
        self.tenantID = tenantID
        self.reaction = reaction
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.eventID = eventID
        self.eventType = eventType
        self.reason = reason
        self.attempts = attempts
        self.failedAt = failedAt
        self.replayedAt = replayedAt
    }
}

/// What a stranger sent, as far as it may stand in a column of its own; the message is kept whole beside it.
private func keepable(_ text: String) -> String? {
    text.utf8.contains(0) ? nil : String(text.prefix(500))
}

extension [KafkaHeader] {
    /// The value of the first header of that name that is UTF-8 text.
    func text(_ name: String) -> String? {
        first { $0.name.lowercased() == name }?.value.flatMap { String(validating: $0, as: UTF8.self) }
    }
}
