import Foundation
import Kernel
import TestSupport
import Testing

@Suite("Usage over HTTP")
struct UsageQueryTests {
    @Test("is cut into windows of UTC, from the beginning up to and without the end")
    func windows() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            let times = [
                ("before", "2026-02-02T23:59:59.999999Z"), ("first", "2026-02-03T00:00:00Z"),
                ("offset", "2026-02-03T03:30:00+02:00"), ("last", "2026-02-03T01:59:59.999999Z"),
                ("after", "2026-02-03T02:00:00Z"),
            ]
            _ = try await tenant.send(.array(times.map { cloudEvent($0.0, value: "1.1", time: .string($0.1)) }))
            let (from, to) = ("2026-02-03T00:00:00Z", "2026-02-03T02:00:00Z")
            let hours = try await tenant.usage("egress", from: from, to: to, window: "hour")
            #expect(hours.windows == ["2026-02-03T00:00:00Z": "1.1", "2026-02-03T01:00:00Z": "2.2"])
            #expect(hours.total == "3.3" && hours.count == 3)
            let minutes = try await tenant.usage("egress", from: from, to: to, window: "minute")
            #expect(
                minutes.windows == [
                    "2026-02-03T00:00:00Z": "1.1", "2026-02-03T01:30:00Z": "1.1", "2026-02-03T01:59:00Z": "1.1",
                ])
            let days = try await tenant.usage(
                "egress", from: "2026-02-02T00:00:00Z", to: "2026-02-04T00:00:00Z", window: "day")
            #expect(days.windows == ["2026-02-02T00:00:00Z": "1.1", "2026-02-03T00:00:00Z": "4.4"])
        }
    }

    @Test("shows every window, also those without usage, and what the meter measures")
    func dense() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            let reply = try await tenant.http.get(
                "/api/v1/usage?meter=egress&from=2026-02-03T00:00:00Z&to=2026-02-03T03:00:00Z")
            #expect(reply.status == 200, "\(reply)")
            #expect(reply["window"] == "hour" && reply["unit"] == "GB" && reply["aggregation"] == "sum")
            #expect(reply["windows"]?.array?.count == 3)
            #expect(
                reply["windows"]?[2] == [
                    "start": "2026-02-03T02:00:00Z", "end": "2026-02-03T03:00:00Z", "count": 0, "value": "0",
                ])
        }
    }

    @Test("is refused for a period that can't be answered for")
    func badPeriods() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            for (query, problem) in [
                ("from=2026-02-03T00:00:00Z&to=2026-02-03T00:00:00Z", "usage-period-refused"),
                ("from=2026-02-03T01:00:00Z&to=2026-02-03T00:00:00Z", "usage-period-refused"),
                ("from=2026-02-03T00:30:00Z&to=2026-02-03T02:00:00Z", "usage-period-refused"),
                ("from=2026-02-03T00:00:00Z&to=2026-02-03T02:00:30Z", "usage-period-refused"),
                ("from=2020-02-03T00:00:00Z&to=2026-02-03T00:00:00Z", "usage-period-refused"),
                ("from=yesterday&to=2026-02-03T00:00:00Z", "invalid-parameter"),
                ("from=2026-02-03T00:00:00Z", "invalid-parameter"),
                ("from=2026-02-03T00:00:00Z&to=2026-02-03T01:00:00Z&window=week", "invalid-parameter"),
                ("from=2026-02-03T00:00:00Z&to=2026-02-03T01:00:00Z&zone=CET", "invalid-parameter"),
            ] {
                let reply = try await tenant.http.get("/api/v1/usage?meter=orders.placed&\(query)")
                #expect(reply.status == 400 && reply.problem == problem, "\(query): \(reply)")
            }
        }
    }
}
