import Foundation
import Kernel
import Metering
import MeteringContracts
import Postgres
import Tenancy

/// Reads one tenant's meters and usage straight into read models.
struct PostgresMeteringQueries: MeteringQueries {
    let dataPlane: DataPlane
    let tenant: TenantContext

    func meter(_ key: MeterKey) async throws -> Meter? {
        let rows = try await dataPlane.query(
            tenant, as: .metering,
            """
            SELECT \(MeterRow.columns) FROM metering.meters WHERE tenant_id = \(tenant.tenantID) AND key = \(key.text)
            """)
        return try rows.first.map { try MeterRow.meter(from: $0) }
    }

    func meters(after: MeterKey?, limit: Int) async throws -> [Meter] {
        let rows = try await dataPlane.query(
            tenant, as: .metering,
            """
            SELECT \(MeterRow.columns) FROM metering.meters
            WHERE tenant_id = \(tenant.tenantID) AND key COLLATE "C" > \(after?.text ?? "")
            ORDER BY key COLLATE "C" LIMIT \(limit)
            """)
        return try rows.map { try MeterRow.meter(from: $0) }
    }

    /// A built-in meter that the tenant's registration has not brought yet is there all the same, and stands at zero.
    func usage(of key: MeterKey, in period: UsagePeriod) async throws -> UsageSeries? {
        let rows = try await dataPlane.query(
            tenant, as: .metering,
            """
            SELECT m.aggregation, m.unit, u.start, u.count, u.sum
            FROM metering.meters m LEFT JOIN LATERAL (
                SELECT date_bin(\(unsafeSQL: period.window.interval), minute, timestamptz '1970-01-01 00:00:00+00') \
            AS start, sum(count)::bigint AS count, sum(sum) AS sum
                FROM metering.usage_buckets
                WHERE tenant_id = m.tenant_id AND meter_id = m.id AND minute >= \(period.from) AND minute < \(period.to)
                GROUP BY 1) u ON true
            WHERE m.tenant_id = \(tenant.tenantID) AND m.key = \(key.text)
            ORDER BY u.start
            """)
        guard let first = rows.first else {
            return MeterDefinition.builtIn.first { $0.key == key }
                .map { UsageSeries(meter: $0, period: period, figures: []) }
        }
        let (aggregation, unit) = try first.decode((String, String).self)
        let figures: [UsageFigure] = try rows.compactMap { row in
            let (_, _, start, count, sum) = try row.decode((String, String, Timestamp?, Int64?, Decimal?).self)
            guard let start, let count, let sum else { return nil }
            return UsageFigure(start: start, end: period.window.end(from: start), count: count, value: sum)
        }
        return UsageSeries(
            meter: try MeterRow.definition(key.text, aggregation, unit), period: period, figures: figures)
    }
}

extension UsageWindow {
    /// As SQL writes it; a day is 24 hours, since windows are of UTC.
    fileprivate var interval: String {
        switch self {
        case .minute: "interval '1 minute'"
        case .hour: "interval '1 hour'"
        case .day: "interval '24 hours'"
        }
    }
}
