import Foundation
import Kafka
import Kernel
import Postgres
import Tenancy

/// One event as it lies in an outbox.
struct OutboxRow {
    let position: OutboxPosition
    /// Whether no transaction that is still open could commit an event before this one.
    let isSettled: Bool
    let eventID: EventID
    let record: KafkaRecord
    let occurredAt: Timestamp

    init(_ row: Row, from server: String) throws {
        let (
            transactionID, position, settled, tenant, event, topic, type, aggregate, version, occurred, correlation,
            causation, trace, payload, fact, extensions, logPosition
        ) = try row.decode(
            (
                String, Int64, Bool, TenantID, EventID, String, String, UUID, Int64, Timestamp, CorrelationID,
                EventID?, String, String, EventID?, [String]?, String
            ).self)
        self.position = OutboxPosition(transactionID: transactionID, position: position)
        isSettled = settled
        eventID = event
        occurredAt = occurred
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
        o.transaction_id::text, o.position, o.transaction_id < pg_snapshot_xmin(pg_current_snapshot()), tenant_id, event_id, \
        topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload, fact_id, extensions, \
        pg_current_wal_insert_lsn()::text
        """
    }
}

/// A place in the order of commits. The transaction's number is PostgreSQL's `xid8`, kept as its decimal text.
struct OutboxPosition: Hashable, Sendable {
    let transactionID: String
    let position: Int64
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
