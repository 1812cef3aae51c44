import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("Usage that many report at once")
struct ConcurrencyTests {
    @Test("adds up exactly, without deadlock, over batches that share meters, minutes and events in any order")
    func overlappingBatches() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let meters = ["m1", "m2", "m3", "m4"]
            for meter in meters { _ = try await tenant.define(meter) }
            // 240 events over four meters and three minutes, each of which is in two of the batches.
            let events = (0..<240).map { index in
                cloudEvent(
                    "e\(index)", meters[index % 4], value: "0.1",
                    time: .string("2026-02-03T09:0\(index / 4 % 3):00Z"))
            }
            let reports = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for start in 0..<16 {
                    let batch = (0..<30).map { events[(start * 15 + $0) % 240] }
                    group.addTask { try await tenant.send(.array(batch.shuffled())) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(reports.allSatisfy { $0.status == 200 && $0["rejected"] == 0 }, "\(reports)")
            #expect(reports.compactMap { $0["accepted"]?.int }.reduce(0, +) == 240)
            #expect(reports.compactMap { $0["duplicates"]?.int }.reduce(0, +) == 240)
            for meter in meters {
                let usage = try await tenant.usage(meter)
                #expect(usage.total == "6" && usage.count == 60)
                #expect(
                    usage.windows == [
                        "2026-02-03T09:00:00Z": "2", "2026-02-03T09:01:00Z": "2", "2026-02-03T09:02:00Z": "2",
                    ])
            }
        }
    }

    @Test("is published in the order of each meter's sequence, which has no gap")
    func order() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            for meter in ["a", "b"] { _ = try await tenant.define(meter, "count") }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<24 {
                    group.addTask {
                        let meters = index % 2 == 0 ? ["a", "b"] : ["b", "a"]
                        let reply = try await tenant.send(.array(meters.map { cloudEvent("\(index)-\($0)", $0) }))
                        #expect(reply["accepted"] == 2, "\(reply)")
                    }
                }
                try await group.waitForAll()
            }
            let published = try await world.published(for: tenant.id)
            for meter in ["a", "b"] {
                let versions = published.filter { $0.payload["meter"]?.string == meter }.map(\.version)
                #expect(versions == Array(1...24))
            }
        }
    }

    @Test("under one identity is counted once, and the others are told so")
    func sameEvent() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            for meter in ["a", "b"] { _ = try await tenant.define(meter) }
            let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for index in 0..<12 {
                    // Half of them under another meter: the turns of meters do not keep these apart.
                    group.addTask { try await tenant.send(cloudEvent("same", index % 2 == 0 ? "a" : "b", value: 1)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.count { $0["accepted"] == 1 } == 1)
            #expect(replies.count { $0["duplicates"] == 1 } == 5)
            #expect(replies.count { $0.status == 409 } == 6)
            let total = try await tenant.usage("a").count + tenant.usage("b").count
            #expect(total == 1)
        }
    }

    @Test("never counts without keeping the event, or keeps it without counting, when a transaction fails")
    func atomicity() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            try await world.plane.asSuperuser(
                "ALTER TABLE metering.outbox ADD CONSTRAINT planted CHECK (payload NOT LIKE '%fails%')")
            #expect(
                try await tenant.send([cloudEvent("works", value: 1), cloudEvent("fails", value: 1)]).status == 500)
            for table in ["usage_events", "usage_buckets", "outbox"] {
                #expect(try await world.count("SELECT count(*) FROM metering.\(unsafeSQL: table)") == 0, "\(table)")
            }
            try await world.plane.asSuperuser("ALTER TABLE metering.outbox DROP CONSTRAINT planted")
            #expect(
                try await tenant.send([cloudEvent("works", value: 1), cloudEvent("fails", value: 1)])["accepted"] == 2)
            #expect(try await tenant.usage("egress").total == "2")
            #expect(try await world.published(for: tenant.id).map(\.version) == [1, 2])
        }
    }
}
