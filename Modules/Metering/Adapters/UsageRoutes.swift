import Kernel
import Messaging
import Metering
import Tenancy
import Web

struct UsageRoutes: Sendable {
    let dataPlane: DataPlane
    let outbox: Outbox
    let identifiers: IdentifierSource
    let clock: WallClock

    var endpoints: [Endpoint] { [record, usage] }

    private var record: Endpoint {
        Endpoint(
            .post, "/api/v1/usage/events", "recordUsage", tag: "Metering", summary: "Records usage events",
            about: """
                Takes one CloudEvent 1.0 in JSON, or a batch of up to \(UsagePolicy.batchLimit). Events are known by \
                `source` and `id`: whatever is sent again is counted once, so a request whose answer got lost can simply \
                be repeated, and needs no Idempotency-Key. The meter is the one that `data.meter` names, or else the \
                event's `type`; it must have been defined.

                Each event of a batch stands or falls by itself: those that can be recorded are, in one transaction, \
                before the answer is given, and the others are listed under `errors`. Look at `rejected` even when the \
                status is 200. A single event that can't be recorded is answered with a problem.
                """,
            access: .tenant(.write),
            body: .either(
                ("application/json", .usageEventOrBatch), ("application/cloudevents+json", .usageEvent),
                ("application/cloudevents-batch+json", .usageEventBatch)),
            success: .ok(UsageReport.shape, "Everything was looked at; `errors` lists what was not recorded."),
            problems: [.usageRefused, .usageConflict, .tooManyMeters]
        ) { call in
            if let events = call.body.elements {
                return call.reply(try await record(events, for: call.tenant))
            }
            var reader = CloudEventReader()
            guard let event = reader.read(call.body) else {
                throw Problem(.invalidBody, violations: reader.violations)
            }
            switch try await outcomes(of: [event], for: call.tenant)[0] {
            case .accepted: return call.reply(UsageReport(accepted: 1))
            case .duplicate: return call.reply(UsageReport(duplicates: 1))
            case .refused(let refusal): throw refusal
            }
        }
    }

    private func record(_ batch: [JSON], for tenant: TenantContext) async throws -> UsageReport {
        var report = UsageReport()
        var readable: [(index: Int, event: UsageEvent)] = []
        for (index, json) in batch.enumerated() {
            var reader = CloudEventReader()
            if let event = reader.read(json) { readable.append((index, event)) }
            // What is wrong with an event shows after a few complaints; a hostile one must not buy a huge answer.
            for violation in reader.violations.prefix(10) {
                report.errors.append(
                    UsageReportError(
                        index: Int64(index), source: reader.source, id: reader.id, code: "invalid",
                        detail: violation.detail, pointer: violation.pointer))
            }
        }
        let outcomes = try await outcomes(of: readable.map(\.event), for: tenant)
        for (outcome, (index, event)) in zip(outcomes, readable) {
            switch outcome {
            case .accepted: report.accepted += 1
            case .duplicate: report.duplicates += 1
            case .refused(let refusal):
                report.errors.append(
                    UsageReportError(
                        index: Int64(index), source: event.identity.source, id: event.identity.id, code: refusal.code,
                        detail: refusal.description, pointer: nil))
            }
        }
        report.errors.sort { $0.index < $1.index }
        return report
    }

    private func outcomes(of events: [UsageEvent], for tenant: TenantContext) async throws -> [UsageOutcome] {
        guard !events.isEmpty else { return [] }
        return try await dataPlane.write(tenant, as: .metering) { transaction in
            try await RecordUsageHandler(
                repository: PostgresUsageRepository(
                    transaction: transaction, outbox: outbox, identifiers: identifiers),
                identifiers: identifiers, clock: clock
            ).handle(RecordUsage(events: events))
        }
    }

    private var usage: Endpoint {
        Endpoint(
            .get, "/api/v1/usage", "getUsage", tag: "Metering", summary: "Shows what a meter's usage comes to",
            about: """
                Holds the usage from `from` up to, and without, `to`, cut into windows that begin on whole minutes, hours \
                or days of UTC; both times must lie on such a border. At most \(UsagePeriod.windowLimit) windows.
                """,
            access: .tenant(.read), parameters: [meter, from, to, window], success: .ok(UsageSeries.shape),
            problems: [.unknownMeter, .usagePeriodRefused]
        ) { call in
            let key = try call[meter]
            let period = try UsagePeriod(from: try call[from], to: try call[to], window: try call[window])
            let queries = PostgresMeteringQueries(dataPlane: dataPlane, tenant: call.tenant)
            guard let series = try await queries.usage(of: key, in: period) else {
                throw MeteringError.unknownMeter(key)
            }
            return call.reply(series)
        }
    }
}

extension Violation {
    /// RFC 6901, where the violation is in the body.
    fileprivate var pointer: String? {
        guard case .body(let tokens) = place else { return nil }
        return tokens.reduce(into: "") {
            $0 += "/" + $1.replacing("~", with: "~0").replacing("/", with: "~1")
        }
    }
}

private let meter: Parameter<MeterKey> = .query(
    required: "meter", .meterKey, "The meter's key.", example: "orders.placed")
private let from: Parameter<Timestamp> = .query(
    required: "from", .timestamp, "The beginning of the period.", example: "2026-02-03T09:00:00Z")
private let to: Parameter<Timestamp> = .query(
    required: "to", .timestamp, "The end of the period, which it does not hold.", example: "2026-02-03T12:00:00Z")
private let window: Parameter<UsageWindow> = .query(
    "window", .enumeration(UsageWindow.self), default: .hour, "How long each window is.")
