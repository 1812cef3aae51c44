import Foundation
import Kernel
import Metering
import MeteringContracts
import Web

extension Shape where Value == MeterKey {
    static var meterKey: Shape {
        text(["type": "string", "pattern": .string(MeterKey.pattern)], example: "api.calls") {
            text throws(TextComplaint) in
            guard let key = MeterKey(text) else {
                throw TextComplaint("must be a meter's key, matching \(MeterKey.pattern)")
            }
            return key
        } format: {
            $0.text
        }
    }
}

extension Shape where Value == Decimal {
    /// A sum of quantities, exact to its last digit.
    static var usage: Shape {
        text(["type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?$"], example: "1024.5") { text throws(TextComplaint) in
            guard let quantity = try? Quantity(text) else { throw TextComplaint("must be an exact decimal number") }
            return quantity.decimal
        } format: {
            $0.description
        }
    }
}

/// What a client says a meter is.
struct NewMeter: Sendable {
    let aggregation: Aggregation
    let unit: String

    static let shape = Shape<NewMeter>.object(
        "NewMeter", "What a meter measures.",
        Field(
            "aggregation", .enumeration(Aggregation.self),
            "sum: the values of events are added. count: each event is one.", example: "sum"
        ) { $0.aggregation },
        Field("unit", .string(1...40, .line), "What one is.", example: "GB") { $0.unit }
    ) { NewMeter(aggregation: $0, unit: $1) }
}

extension Meter {
    static let shape = Shape<Meter>.output(
        "Meter", "Something whose usage is measured.",
        Field("id", .identifier(MeterID.self), "The meter.") { $0.id },
        Field("key", .meterKey, "What usage events call it.") { $0.definition.key },
        Field("aggregation", .enumeration(Aggregation.self), "What its events add up to.", example: "sum") {
            $0.definition.aggregation
        },
        Field("unit", .string(1...40), "What one is.", example: "GB") { $0.definition.unit },
        Field("builtIn", .boolean, "Whether Atrium records it by itself.", example: false) {
            $0.definition.key.isBuiltIn
        },
        Field("definedAt", .timestamp, "When it was defined.") { $0.definedAt },
        Field("version", .integer(1...Int64.max), "Counts its changes; the same as its ETag.") { $0.version }
    )
}

extension UsageFigure {
    static let shape = Shape<UsageFigure>.output(
        "UsageFigure", "The usage from `start` up to, and without, `end`.",
        Field("start", .timestamp, "Its beginning, in UTC.", example: "2026-02-03T09:00:00Z") { $0.start },
        Field("end", .timestamp, "Its end, which it does not hold.", example: "2026-02-03T10:00:00Z") { $0.end },
        Field("count", .integer(0...Int64.max), "How many events.", example: 3) { $0.count },
        Field("value", .usage, "What they come to, exactly.") { $0.value }
    )
}

extension UsageSeries {
    static let shape = Shape<UsageSeries>.output(
        "UsageSeries", "A meter's usage over a period, one figure for each window.",
        Field("meter", .meterKey, "The meter.") { $0.meter.key },
        Field("aggregation", .enumeration(Aggregation.self), "What its events add up to.", example: "sum") {
            $0.meter.aggregation
        },
        Field("unit", .string(1...40), "What one is.", example: "GB") { $0.meter.unit },
        Field("window", .enumeration(UsageWindow.self), "How long each window is.", example: "hour") {
            $0.period.window
        },
        Field("total", UsageFigure.shape, "The whole period.") { $0.total },
        Field("windows", .array(of: UsageFigure.shape), "Every window of the period, also those without usage.") {
            $0.windows
        }
    )
}
