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
    let record: KafkaRecord

    init(shard: Int16, position: OutboxPosition, tenantID: TenantID, eventID: EventID, record: KafkaRecord) {
        self.shard = shard
        self.position = position
        self.tenantID = tenantID
        self.eventID = eventID
        self.record = record
    }

    init(_ row: Row, from server: String) throws {
        let (
            shard, transactionID, position, tenant, event, topic, type, aggregate, version, occurred, correlation,
            causation, trace, payload, fact, extensions, logPosition
        ) = try row.decode(
            (
                Int16, String, Int64, TenantID, EventID, String, String, UUID, Int64, Timestamp, CorrelationID,
                EventID?, String, String, EventID?, [String]?, String
            ).self)
        self.shard = shard
        self.position = try OutboxPosition(transactionID, position)
        tenantID = tenant
        eventID = event
        var headers = [
            KafkaHeader(CloudEventHeader.specVersion, "1.0"),
            KafkaHeader(CloudEventHeader.id, event.description),
            KafkaHeader(CloudEventHeader.source, eventSource(of: String(type.prefix { $0 != "." }))),
            KafkaHeader(CloudEventHeader.type, type),
            KafkaHeader(CloudEventHeader.time, occurred.description),
            KafkaHeader(CloudEventHeader.subject, aggregate.canonical),
            KafkaHeader(CloudEventHeader.dataSchema, dataSchema(of: type)),
            KafkaHeader(CloudEventHeader.sequence, padded(version)),
            KafkaHeader(CloudEventHeader.tenant, tenant.description),
            KafkaHeader(CloudEventHeader.correlation, correlation.description),
            KafkaHeader(CloudEventHeader.trace, trace),
            KafkaHeader(CloudEventHeader.contentType, "application/json"),
        ]
        if let position = ConsistencyToken.position(logPosition) {
            let token = ConsistencyToken(server: server, position: position)
            headers.append(KafkaHeader(CloudEventHeader.consistency, token.description))
        }
        if let fact { headers.append(KafkaHeader(CloudEventHeader.fact, fact.description)) }
        if let extensions {
            for index in stride(from: 0, to: extensions.count - 1, by: 2) {
                headers.append(KafkaHeader(extensions[index], extensions[index + 1]))
            }
        }
        if let causation { headers.append(KafkaHeader(CloudEventHeader.causation, causation.description)) }
        record = KafkaRecord(
            topic: topic, key: Array(aggregate.canonical.utf8), value: Array(payload.utf8), headers: headers)
    }

    /// Of the outbox as `o`. A column named without it in `ORDER BY` would be the text that is selected here.
    static var columns: SQL {
        """
        o.shard, o.transaction_id::text, o.position, o.tenant_id, o.event_id, o.topic, o.type, o.aggregate_id, \
        o.aggregate_version, o.occurred_at, o.correlation_id, o.causation_id, o.traceparent, o.payload, \
        o.fact_id, o.extensions, \
        pg_current_wal_insert_lsn()::text
        """
    }
}

extension OutboxRow {
    /// What inboxes know an event by; of the outbox as `o`.
    static var factID: SQL { "coalesce(o.fact_id, o.event_id)" }
}

/// The CloudEvents source of a context's events.
func eventSource(of context: String) -> String { "/atrium/\(context)" }

/// Where the schema of an event type lies: `orders.order.placed.v1` is `orders/order.placed.v1.json`.
func dataSchema(of type: String) -> String {
    guard let dot = type.firstIndex(of: ".") else { return "https://atrium.dev/schemas/events/\(type).json" }
    return "https://atrium.dev/schemas/events/\(type[..<dot])/\(type[type.index(after: dot)...]).json"
}

private func padded(_ version: Int64) -> String {
    let text = String(version)
    return String(repeating: "0", count: max(0, 19 - text.utf8.count)) + text
}

extension KafkaHeader {
    init(_ name: String, _ value: String) {
        self.init(name: name, value: Array(value.utf8))
    }
}
