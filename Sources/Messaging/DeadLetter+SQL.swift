import Crypto
import Foundation
import Kafka
import Kernel
import Postgres

extension DeadLetter {
    func insertion(into schema: String) -> SQL {
        """
        \(insertionHead(schema)) VALUES (\(values))
        ON CONFLICT ON CONSTRAINT dead_letters_once DO NOTHING RETURNING true
        """
    }

    /// The same, unless the event has taken effect or lies here already, in which case it came again.
    func insertionIfNew(into schema: String) -> SQL {
        """
        \(insertionHead(schema)) SELECT \(values)
        WHERE NOT EXISTS (\(taken(in: schema))) AND NOT EXISTS (
            SELECT FROM \(unsafeSQL: schema).dead_letters d
            WHERE d.tenant_id = \(tenantID) AND d.topic = \(topic) AND d.key = \(key) AND d.fact_id = \(factID)
                AND d.reaction IS NOT DISTINCT FROM \(reaction) AND d.resolved_at IS NULL AND NOT d.is_alone)
        ON CONFLICT ON CONSTRAINT dead_letters_once DO NOTHING RETURNING true
        """
    }

    /// The inbox's row of the event.
    func taken(in schema: String) -> SQL {
        """
        SELECT FROM \(unsafeSQL: schema).inbox i
        WHERE i.tenant_id = \(tenantID) AND i.event_id = \(factID) AND i.reaction = \(reaction)
        """
    }

    private func insertionHead(_ schema: String) -> SQL {
        """
        INSERT INTO \(unsafeSQL: schema).dead_letters (id, tenant_id, direction, kind, is_alone, reaction, topic, partition, \
        "offset", key, value, header_names, header_values, event_id, fact_id, event_type, reason, attempts, failed_at, \
        digest)
        """
    }

    private var values: SQL {
        """
        \(id)::uuid, \(tenantID)::uuid, \(direction.rawValue)::text, \(kind.rawValue)::text, \(isAlone)::boolean, \
        \(reaction)::text, \
        \(topic)::text, \(partition)::int, \(offset)::bigint, \(key)::bytea, \(value)::bytea, \
        \(headers.map(\.name))::text[], \(headers.map(\.value))::bytea[], \(eventID)::text, \(factID)::uuid, \
        \(eventType)::text, \(reason)::text, \(Int32(attempts))::int, \(failedAt)::timestamptz, \(digest)::bytea
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
        id, place, direction, kind, is_alone, tenant_id, reaction, topic, partition, "offset", key, value, header_names, \
        header_values, event_id, fact_id, event_type, reason, attempts, failed_at, resolved_at, resolution, resolved_by, \
        resolution_reason
        """
    }

    init(_ row: Row) throws {
        let names: [String]
        let values: [[UInt8]?]
        let directionName: String
        let kindName: String
        let resolutionName: String?
        let attemptCount: Int32
        (
            id, place, directionName, kindName, isAlone, tenantID, reaction, topic, partition, offset, key, value,
            names, values,
            eventID, factID, eventType, reason, attemptCount, failedAt, resolvedAt, resolutionName, resolvedBy,
            resolutionReason
        ) = try row.decode(
            (
                UUID, Int64, String, String, Bool, TenantID?, String?, String, Int32?, Int64?, [UInt8]?, [UInt8]?,
                [String],
                [[UInt8]?], String?, EventID?, String?, String, Int32, Timestamp, Timestamp?, String?, String?, String?
            ).self)
        direction = Direction(rawValue: directionName) ?? .incoming
        kind = Kind(rawValue: kindName) ?? .failed
        resolution = resolutionName.flatMap { Resolution(rawValue: $0) }
        attempts = Int(attemptCount)
        headers = zip(names, values).map { KafkaHeader(name: $0, value: $1) }
    }
}
