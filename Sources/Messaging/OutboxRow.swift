import Foundation
import Kafka
import Kernel
import Postgres
import Tenancy

/// One event as it lies in an outbox.
struct OutboxRow: Sendable {
    let shard: Int16
    let position: OutboxPosition
    let tenantID: TenantID
    let eventID: EventID
    /// What the broker is given. Made when it is asked for: beside the next trip to the database, not before it.
    let record: @Sendable () throws -> KafkaRecord

    init(
        shard: Int16, position: OutboxPosition, tenantID: TenantID, eventID: EventID,
        record: @escaping @Sendable () throws -> KafkaRecord
    ) {
        self.shard = shard
        self.position = position
        self.tenantID = tenantID
        self.eventID = eventID
        self.record = record
    }

    /// - Parameter consistency: what reads must bring along that are to show what the event tells of.
    init(_ row: Row, consistency: [UInt8]?) throws {
        var reader = row.reader()
        shard = try reader.next()
        position = try OutboxPosition(reader.next(), reader.next())
        tenantID = try reader.next()
        eventID = try reader.next()
        record = { [reader, tenantID, eventID] in
            try KafkaRecord(reader, of: tenantID, as: eventID, consistency: consistency)
        }
    }

    /// Of the outbox as `o`. A column named without it in `ORDER BY` would be the text that is selected here.
    static var columns: SQL {
        """
        o.shard, o.transaction_id::text, o.position, o.tenant_id, o.event_id, o.topic, o.type, o.aggregate_id, \
        o.aggregate_version, o.occurred_at, o.correlation_id, o.causation_id, o.traceparent, o.payload, \
        o.fact_id, o.extensions
        """
    }
}

extension KafkaRecord {
    /// - Parameter reader: at the topic.
    fileprivate init(
        _ reader: RowReader, of tenant: TenantID, as event: EventID, consistency: [UInt8]?
    ) throws {
        var reader = reader
        let topic = try reader.next(String.self)
        let type = try reader.next(UTF8Text.self).bytes
        let aggregate = try reader.next(UUID.self).ascii
        let version = try reader.next(Int64.self)
        let occurred = try reader.next(Timestamp.self)
        let correlation = try reader.next(CorrelationID.self)
        let causation = try reader.next(EventID?.self)
        let trace = try reader.next(UTF8Text.self).bytes
        let payload = try reader.next(UTF8Text.self).bytes
        let fact = try reader.next(EventID?.self)
        let extensions = try reader.next([String]?.self)

        var headers: [KafkaHeader] = []
        headers.reserveCapacity(15 + (extensions?.count ?? 0) / 2)
        func add(_ name: String, _ value: [UInt8]) { headers.append(KafkaHeader(name: name, value: value)) }
        add(CloudEventHeader.specVersion, specVersion)
        add(CloudEventHeader.id, event.uuid.ascii)
        add(CloudEventHeader.source, eventSource(of: type.prefix { $0 != UInt8(ascii: ".") }))
        add(CloudEventHeader.type, type)
        add(CloudEventHeader.time, occurred.ascii)
        add(CloudEventHeader.subject, aggregate)
        add(CloudEventHeader.dataSchema, dataSchema(of: type))
        add(CloudEventHeader.sequence, padded(version))
        add(CloudEventHeader.tenant, tenant.uuid.ascii)
        add(CloudEventHeader.correlation, correlation.uuid.ascii)
        add(CloudEventHeader.trace, trace)
        add(CloudEventHeader.contentType, contentType)
        if let consistency { add(CloudEventHeader.consistency, consistency) }
        if let fact { add(CloudEventHeader.fact, fact.uuid.ascii) }
        if let extensions {
            for index in stride(from: 0, to: extensions.count - 1, by: 2) {
                add(extensions[index], Array(extensions[index + 1].utf8))
            }
        }
        if let causation { add(CloudEventHeader.causation, causation.uuid.ascii) }
        self.init(topic: topic, key: aggregate, value: payload, headers: headers)
    }
}

/// Text that is only handed on.
private struct UTF8Text: PostgresDecodable {
    let bytes: [UInt8]

    init(postgres cell: PostgresCell) throws(CellError) {
        bytes = Array(try cell.require(.text))
    }
}

private let specVersion = Array("1.0".utf8)
private let contentType = Array("application/json".utf8)

extension OutboxRow {
    /// What inboxes know an event by; of the outbox as `o`.
    static var factID: SQL { "coalesce(o.fact_id, o.event_id)" }
}

/// The CloudEvents source of a context's events.
func eventSource(of context: String) -> String { sourcePrefix + context }

private func eventSource(of context: ArraySlice<UInt8>) -> [UInt8] { Array(sourcePrefix.utf8) + context }

/// Where the schema of an event type lies: `orders.order.placed.v1` is `orders/order.placed.v1.json`.
func dataSchema(of type: [UInt8]) -> [UInt8] {
    var address = Array("https://atrium.dev/schemas/events/".utf8)
    address.reserveCapacity(address.count + type.count + 5)
    let dot = type.firstIndex(of: UInt8(ascii: "."))
    address += type
    if let dot { address[address.count - type.count + dot] = UInt8(ascii: "/") }
    address += ".json".utf8
    return address
}

private let sourcePrefix = "/atrium/"

private func padded(_ version: Int64) -> [UInt8] {
    let digits = String(version).utf8
    return Array(repeating: UInt8(ascii: "0"), count: max(0, 19 - digits.count)) + digits
}
