import Foundation
import Kernel
import Metering
import Testing

@Suite("Windows of usage")
struct UsageWindowTests {
    private func time(_ text: String) -> Timestamp { Timestamp(text)! }

    @Test(
        "begin on whole minutes, hours and days of UTC, also before 1970",
        arguments: [
            (UsageWindow.minute, "2026-02-03T09:30:59.999999Z", "2026-02-03T09:30:00Z"),
            (.hour, "2026-02-03T09:30:59Z", "2026-02-03T09:00:00Z"),
            (.day, "2026-02-03T23:59:59Z", "2026-02-03T00:00:00Z"),
            (.day, "2026-02-03T00:30:00+01:00", "2026-02-02T00:00:00Z"),
            (.hour, "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z"),
            (.minute, "1969-12-31T23:59:00Z", "1969-12-31T23:59:00Z"),
        ])
    func start(_ window: UsageWindow, _ moment: String, _ start: String) {
        #expect(window.start(of: time(moment)) == time(start))
    }

    @Test("fill a period without gap or overlap, its end left out")
    func starts() throws {
        let period = try UsagePeriod(
            from: time("2026-02-28T22:00:00Z"), to: time("2026-03-01T01:00:00Z"), window: .hour)
        #expect(
            period.starts.map(\.description) == [
                "2026-02-28T22:00:00Z", "2026-02-28T23:00:00Z", "2026-03-01T00:00:00Z",
            ])
    }

    @Test("are refused for a period that is empty, runs backwards, or cuts one in two")
    func refusals() {
        #expect(throws: MeteringError.emptyPeriod) {
            try UsagePeriod(from: time("2026-02-03T00:00:00Z"), to: time("2026-02-03T00:00:00Z"), window: .day)
        }
        #expect(throws: MeteringError.emptyPeriod) {
            try UsagePeriod(from: time("2026-02-04T00:00:00Z"), to: time("2026-02-03T00:00:00Z"), window: .day)
        }
        for (from, to, odd) in [
            ("2026-02-03T00:30:00Z", "2026-02-03T02:00:00Z", "2026-02-03T00:30:00Z"),
            ("2026-02-03T00:00:00Z", "2026-02-03T02:00:00.000001Z", "2026-02-03T02:00:00.000001Z"),
        ] {
            #expect(throws: MeteringError.unalignedPeriod(time(odd), .hour)) {
                try UsagePeriod(from: time(from), to: time(to), window: .hour)
            }
        }
    }

    @Test("are limited in number, the limit included")
    func limit() throws {
        let from = time("2026-02-03T00:00:00Z")
        let most = Timestamp(microsecondsSinceEpoch: from.microsecondsSinceEpoch + UsagePeriod.windowLimit * 60_000_000)
        #expect(try UsagePeriod(from: from, to: most, window: .minute).starts.count == Int(UsagePeriod.windowLimit))
        #expect(throws: MeteringError.tooManyWindows(1501, limit: 1500)) {
            try UsagePeriod(from: from, to: UsageWindow.minute.end(from: most), window: .minute)
        }
        #expect(throws: MeteringError.self) {
            try UsagePeriod(from: time("0001-01-01T00:00:00Z"), to: time("9999-12-31T00:00:00Z"), window: .minute)
        }
    }

    @Test("without usage stand at zero, and the total is exact")
    func series() throws {
        let period = try UsagePeriod(
            from: time("2026-02-03T00:00:00Z"), to: time("2026-02-03T03:00:00Z"), window: .hour)
        let definition = MeterDefinition(key: MeterKey("egress")!, aggregation: .sum, unit: "GB")
        let figures = [("2026-02-03T00:00:00Z", "0.1"), ("2026-02-03T02:00:00Z", "0.2")].map { start, value in
            UsageFigure(
                start: time(start), end: UsageWindow.hour.end(from: time(start)), count: 2,
                value: Decimal(string: value)!)
        }
        let series = UsageSeries(meter: definition, period: period, figures: figures)
        #expect(series.windows.map(\.count) == [2, 0, 2])
        #expect(series.windows.map(\.value.description) == ["0.1", "0", "0.2"])
        #expect(series.windows.allSatisfy { $0.end == UsageWindow.hour.end(from: $0.start) })
        #expect(series.total.count == 4 && series.total.value.description == "0.3")
        #expect(series.total.start == period.from && series.total.end == period.to)
    }
}
