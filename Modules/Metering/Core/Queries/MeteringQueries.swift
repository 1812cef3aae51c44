package import Foundation
package import Kernel

/// A meter's usage over a period: one figure for each window, without a gap.
package struct UsageSeries: Hashable, Sendable {
    package let meter: MeterDefinition
    package let period: UsagePeriod
    package let windows: [UsageFigure]
    package let total: UsageFigure

    /// - Parameter figures: what was recorded, for the windows in which something was.
    package init(meter: MeterDefinition, period: UsagePeriod, figures: [UsageFigure]) {
        self.meter = meter
        self.period = period
        let found = Dictionary(figures.map { ($0.start, $0) }) { first, _ in first }
        windows = period.starts.map { start in
            found[start] ?? UsageFigure(start: start, end: period.window.end(from: start), count: 0, value: 0)
        }
        total = UsageFigure(
            start: period.from, end: period.to, count: windows.reduce(0) { $0 + $1.count },
            value: windows.reduce(0) { $0 + $1.value })
    }
}

/// The usage from a beginning up to, and without, an end.
package struct UsageFigure: Hashable, Sendable {
    package let start: Timestamp
    package let end: Timestamp
    /// How many events.
    package let count: Int64
    /// What they come to by the meter's aggregation.
    package let value: Decimal

    package init(start: Timestamp, end: Timestamp, count: Int64, value: Decimal) {
        self.start = start
        self.end = end
        self.count = count
        self.value = value
    }
}

/// What can be asked about one tenant's meters and their usage.
package protocol MeteringQueries: Sendable {
    func meter(_ key: MeterKey) async throws -> Meter?
    /// By key, only those behind `after`.
    func meters(after: MeterKey?, limit: Int) async throws -> [Meter]
    /// `nil` where there is no such meter.
    func usage(of key: MeterKey, in period: UsagePeriod) async throws -> UsageSeries?
}
