import Foundation
import Kernel
import Messaging
import Metering
import MeteringContracts
import Postgres
import Tenancy

extension ContextRole {
    static let metering = ContextRole.app("metering")
}

/// One tenant's meters, usage events and buckets, in a transaction that others may have begun.
struct PostgresUsageRepository: UsageRepository {
    let transaction: TenantTransaction
    let outbox: Outbox
    let identifiers: IdentifierSource
    /// What set usage off, where that is not the same for all of the transaction.
    var causes: [UsageIdentity: Correlation] = [:]

    private var tenantID: TenantID { transaction.tenant.tenantID }

    func takeTurns(with keys: Set<MeterKey>) async throws -> [MeterKey: Meter] {
        let rows = try await transaction.rows(
            "SELECT \(MeterRow.columns) FROM metering.take_turns(\(keys.map(\.text)))")
        let meters = try rows.map { try MeterRow.meter(from: $0) }
        return Dictionary(uniqueKeysWithValues: meters.map { ($0.definition.key, $0) })
    }

    func insert(_ meter: Meter) async throws {
        transaction.enqueue(
            """
            INSERT INTO metering.meters (tenant_id, id, key, aggregation, unit, defined_at, version, recorded)
            VALUES (\(tenantID), \(meter.id), \(meter.definition.key.text), \
            \(meter.definition.aggregation.rawValue), \(meter.definition.unit), \(meter.definedAt), \(meter.version), \
            \(meter.recorded))
            """)
    }

    func keep(_ records: [UsageRecord]) async throws -> Set<UsageIdentity> {
        let events = records.map(\.event)
        let rows = try await transaction.rowsWriting(
            """
            INSERT INTO metering.usage_events (tenant_id, source, event_id, meter_id, type, subject, amount, \
            happened_at, time_stated, dimensions, recorded_at)
            SELECT \(tenantID), source, event_id, meter_id, type, subject, amount, happened_at, time_stated, dimensions, \
            recorded_at
            FROM unnest(\(events.map(\.identity.source)), \(events.map(\.identity.id)), \(records.map(\.meterID)), \
            \(events.map(\.type)), \(events.map(\.subject)), \(records.map(\.amount.decimal)), \(records.map(\.time)), \
            \(events.map { $0.time != nil }), \(events.map { DimensionsText.text(of: $0.dimensions) }), \
            \(records.map(\.recordedAt))) WITH ORDINALITY AS record (source, event_id, meter_id, type, subject, amount, \
            happened_at, time_stated, dimensions, recorded_at, place)
            ORDER BY place
            ON CONFLICT (tenant_id, source, event_id) DO NOTHING
            RETURNING source, event_id
            """)
        return Set(try rows.decode((String, String).self).map { UsageIdentity(source: $0, id: $1) })
    }

    func kept(_ identities: [UsageIdentity]) async throws -> [UsageIdentity: UsageContent] {
        // Asked for by a statement of its own, which sees what others committed while `keep` waited for them.
        let rows = try await transaction.rowsWriting(
            """
            SELECT source, event_id, type, subject, CASE WHEN time_stated THEN happened_at END, meter_id, amount, \
            dimensions
            FROM metering.usage_events
            JOIN unnest(\(identities.map(\.source)), \(identities.map(\.id))) AS asked (asked_source, asked_id)
                ON source = asked_source AND event_id = asked_id
            WHERE tenant_id = \(tenantID)
            """)
        var found: [UsageIdentity: UsageContent] = [:]
        for row in rows {
            let (source, id, type, subject, time, meter, amount, dimensions) = try row.decode(
                (String, String, String, String?, Timestamp?, MeterID, Decimal, JSONText).self)
            found[UsageIdentity(source: source, id: id)] = UsageContent(
                type: type, subject: subject, statedTime: time, meterID: meter,
                amount: try Quantity(restoring: amount), dimensions: try DimensionsText.dimensions(in: dimensions))
        }
        return found
    }

    func save(_ recording: Recording) async throws {
        guard !recording.recorded.isEmpty else { return }
        let buckets = recording.buckets
        transaction.enqueue(
            """
            INSERT INTO metering.usage_buckets AS bucket (tenant_id, meter_id, minute, count, sum)
            SELECT \(tenantID), meter_id, minute, count, sum
            FROM unnest(\(buckets.map(\.id.meterID)), \(buckets.map(\.id.minute)), \(buckets.map(\.count)), \
            \(buckets.map(\.sum))) WITH ORDINALITY AS change (meter_id, minute, count, sum, place)
            ORDER BY place
            ON CONFLICT (tenant_id, meter_id, minute) DO UPDATE
            SET count = bucket.count + excluded.count, sum = bucket.sum + excluded.sum
            """)
        for meter in recording.changedMeters {
            transaction.enqueueExpectingOne(
                """
                UPDATE metering.meters SET recorded = \(meter.recorded)
                WHERE tenant_id = \(tenantID) AND id = \(meter.id) AND recorded < \(meter.recorded)
                """)
        }
        let facts = try recording.recorded.map { event in
            try OutgoingFact(
                event.publication(tenantID: tenantID), aggregateID: event.record.meterID.uuid,
                aggregateVersion: event.sequence, at: event.record.recordedAt, identifiers: identifiers,
                correlation: causes[event.record.event.identity])
        }
        try outbox.enqueue(facts, in: transaction)
    }
}

/// Dimensions as `jsonb` holds them.
private enum DimensionsText {
    static func text(of dimensions: [String: String]) -> JSONText {
        var writer = JSONWriter()
        writer.beginObject()
        for (name, value) in dimensions {
            writer.name(name)
            writer.string(value)
        }
        writer.endObject()
        return JSONText(String(decoding: writer.bytes, as: UTF8.self))
    }

    static func dimensions(in text: JSONText) throws -> [String: String] {
        guard case .object(let object) = try JSON.parse(text.text) else { return [:] }
        return Dictionary(object.members.compactMap { member in member.value.string.map { (member.name, $0) } }) {
            first, _ in first
        }
    }
}
