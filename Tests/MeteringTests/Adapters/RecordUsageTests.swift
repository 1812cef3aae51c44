import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@Suite("Reporting usage over HTTP")
struct RecordUsageTests {
    @Test("takes one event and a batch, under each media type that may carry it")
    func mediaTypes() async throws {
        try await MeteringWorld.with { world in
            for (type, isBatch) in [
                ("application/json", false), ("application/json", true),
                ("application/cloudevents+json; charset=UTF-8", false), ("application/cloudevents-batch+json", true),
            ] {
                let tenant = world.tenant()
                _ = try await tenant.define("egress")
                let event = cloudEvent("1", value: "0.5", time: "2026-02-03T09:00:30Z")
                let reply = try await tenant.send(isBatch ? [event, cloudEvent("2", value: 0)] : event, as: type)
                #expect(reply.status == 200, "\(reply)")
                let report: JSONValue = [
                    "accepted": isBatch ? 2 : 1, "duplicates": 0, "rejected": 0, "errors": [],
                ]
                #expect(try reply.json() == report)
                let usage = try await tenant.usage("egress")
                #expect(usage.total == "0.5" && usage.windows["2026-02-03T09:00:00Z"] == "0.5")
            }
        }
    }

    @Test("is refused under other media types, and where body and type disagree")
    func wrongMediaType() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            let event = cloudEvent("1", value: 1)
            #expect(try await tenant.send(event, as: "text/plain").status == 415)
            #expect(try await tenant.send(event, as: "application/cloudevents-batch+json").problem == "invalid-body")
            #expect(try await tenant.send([event], as: "application/cloudevents+json").problem == "invalid-body")
            #expect(try await tenant.send([], as: "application/json").problem == "invalid-body")
            #expect(try await tenant.send("text").problem == "invalid-body")
            #expect(try await tenant.send(.array(Array(repeating: event, count: 501))).problem == "invalid-body")
            #expect(try await tenant.usage("egress").count == 0)
        }
    }

    @Test("counts an event once, however often it is sent, alone and in batches")
    func duplicates() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            let event = cloudEvent("1", value: "1.50", time: "2026-02-03T09:00:30Z")
            let again = cloudEvent("1", value: .number(Decimal(string: "1.5")!), time: "2026-02-03T10:00:30+01:00")
            #expect(try await tenant.send(event)["accepted"] == 1)
            #expect(try await tenant.send(again)["duplicates"] == 1)
            let batch = try await tenant.send([event, event, cloudEvent("1", value: "1", source: "/other")]).json()
            #expect(batch == ["accepted": 1, "duplicates": 2, "rejected": 0, "errors": []])
            // Sent without a time, the second comes at another moment and is the same all the same.
            #expect(try await tenant.send(cloudEvent("2", value: 1))["accepted"] == 1)
            #expect(try await tenant.send(cloudEvent("2", value: 1))["duplicates"] == 1)
            let usage = try await tenant.usage("egress")
            #expect(usage.total == "3.5" && usage.count == 3)
            #expect(try await world.published(for: tenant.id).count == 3)
        }
    }

    @Test("reports other content under a known source and id as a conflict, and counts nothing")
    func conflicts() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            _ = try await tenant.define("calls", "count")
            _ = try await tenant.send(cloudEvent("1", value: 1, time: "2026-02-03T09:00:00Z"))
            for other in [
                cloudEvent("1", value: 2, time: "2026-02-03T09:00:00Z"),
                cloudEvent("1", value: 1, time: "2026-02-03T09:00:01Z"),
                cloudEvent("1", value: 1), cloudEvent("1", "calls", time: "2026-02-03T09:00:00Z"),
            ] {
                let reply = try await tenant.send(other)
                #expect(reply.status == 409 && reply.problem == "usage-conflict", "\(reply)")
                let batch = try await tenant.send([other])
                #expect(batch.status == 200 && batch["errors"]?[0]?["code"] == "conflict")
                #expect(batch["rejected"] == 1 && batch["accepted"] == 0)
            }
            #expect(try await tenant.usage("egress").total == "1")
            #expect(try await tenant.usage("calls").count == 0)
        }
    }

    @Test("lets each event of a batch stand or fall by itself, and says why by place, source and id")
    func mixedBatch() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            let reply = try await tenant.send([
                cloudEvent("good", value: 1), cloudEvent("typo", "egres", value: 1), 7,
                [
                    "specversion": "1.0", "id": "bad", "source": "/s", "type": "t",
                    "data": ["meter": "egress", "value": "x"],
                ],
                cloudEvent("old", value: 1, time: "2025-12-01T00:00:00Z"), cloudEvent("none"),
                cloudEvent("ahead", value: 1, time: "2026-02-03T10:00:00Z"),
                cloudEvent("own", "orders.placed"), cloudEvent("own", value: 1, source: "/atrium/orders"),
            ])
            #expect(reply.status == 200)
            #expect(reply["accepted"] == 1 && reply["rejected"] == 8 && reply["duplicates"] == 0, "\(reply)")
            let errors = try #require(reply["errors"]?.array)
            #expect(errors.compactMap { $0["index"]?.int } == [1, 2, 3, 4, 5, 6, 7, 8])
            #expect(
                errors.compactMap { $0["code"]?.string } == [
                    "unknown-meter", "invalid", "invalid", "too-old", "value-missing", "too-far-ahead",
                    "built-in-meter",
                    "reserved-source",
                ])
            #expect(errors[0]["id"] == "typo" && errors[0]["source"] == "/gateways/fra-3")
            #expect(errors[2]["pointer"] == "/data/value" && errors[2]["id"] == "bad")
            #expect(try await tenant.usage("egress").count == 1)
        }
    }

    @Test("answers a single event that can't be recorded with a problem")
    func singleRefusal() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let unknown = try await tenant.send(cloudEvent("1", "egress", value: 1))
            #expect(unknown.status == 422 && unknown.problem == "usage-refused" && unknown["code"] == "unknown-meter")
            _ = try await tenant.define("egress")
            let invalid = try await tenant.send([
                "specversion": "1.0", "id": "1", "data": ["meter": "egress", "value": -1],
            ])
            #expect(invalid.status == 422 && invalid.problem == "invalid-body")
            #expect(
                invalid["errors"]?.array?.compactMap { $0["pointer"]?.string }.sorted()
                    == ["#/data/value", "#/source", "#/type"])
            // What was refused has left no trace: sent again once it can be taken, it is.
            #expect(try await tenant.send(cloudEvent("1", "egress", value: 1))["accepted"] == 1)
        }
    }

    @Test("takes a batch of fifty meters and refuses one of more as a whole")
    func meterLimit() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            for index in 0..<51 { _ = try await tenant.define("m\(index)") }
            let events = (0..<51).map { cloudEvent("\($0)", "m\($0)", value: 1) }
            let tooMany = try await tenant.send(.array(events))
            #expect(tooMany.status == 422 && tooMany.problem == "too-many-meters")
            #expect(try await tenant.send(.array(Array(events.prefix(50))))["accepted"] == 50)
        }
    }

    @Test("keeps one tenant's events, meters and usage from another's")
    func tenants() async throws {
        try await MeteringWorld.with { world in
            let (a, b) = (world.tenant(), world.tenant())
            _ = try await a.define("egress")
            #expect(try await a.send(cloudEvent("1", value: 1))["accepted"] == 1)
            #expect(try await b.send(cloudEvent("1", value: 1))["code"] == "unknown-meter")
            let foreign = try await b.http.get("/api/v1/meters/egress")
            #expect(foreign.status == 404 && foreign.problem == "unknown-meter")
            let query = "&from=2026-02-03T09:00:00Z&to=2026-02-03T10:00:00Z"
            #expect(try await b.http.get("/api/v1/usage?meter=egress\(query)").status == 404)
            _ = try await b.define("egress", "count")
            #expect(try await b.send(cloudEvent("1"))["accepted"] == 1)
            #expect(try await a.usage("egress").total == "1")
            #expect(try await b.http.get("/api/v1/meters").json()["items"]?.array?.count == 1)
        }
    }

    @Test("adds up exactly what binary fractions would not, to the last of 27 digits")
    func exactness() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            var events = (0..<300).map { cloudEvent("a\($0)", value: "0.1", time: "2026-02-03T09:00:00Z") }
            events += (0..<100).map {
                cloudEvent("b\($0)", value: "999999999999999.999999999999", time: "2026-02-03T09:01:00Z")
            }
            events.append(cloudEvent("c", value: "0.000000000001", time: "2026-02-03T09:01:00Z"))
            #expect(try await tenant.send(.array(events))["accepted"] == 401)
            let usage = try await tenant.usage("egress")
            #expect(usage.windows["2026-02-03T09:00:00Z"] == "30")
            #expect(usage.windows["2026-02-03T09:01:00Z"] == "99999999999999999.999999999901")
            #expect(usage.total == "100000000000000029.999999999901")
        }
    }

    @Test("publishes what was recorded, with the meter's sequence")
    func publication() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            _ = try await tenant.define("calls", "count")
            _ = try await tenant.send([
                cloudEvent("1", value: "2.50", time: "2026-02-03T09:00:30Z"), cloudEvent("2", "calls"),
                cloudEvent("3", value: 1),
            ])
            let published = try await world.published(for: tenant.id)
            #expect(published.map(\.version) == [1, 1, 2])
            #expect(published[0].payload["value"] == "2.5" && published[0].payload["time"] == "2026-02-03T09:00:30Z")
            #expect(published[0].payload["meter"] == "egress" && published[1].payload["value"] == "1")
            #expect(published[0].payload["recordedAt"]?.string == MeteringWorld.epoch.description)
            try await validate(published.map(\.payload), against: "metering/usage.recorded.v1.json")
            let meter = try await tenant.http.get("/api/v1/meters/egress")
            let keys = try await world.plane.asSuperuser(
                "SELECT DISTINCT topic, aggregate_id::text FROM metering.outbox WHERE payload LIKE '%egress%'")
            #expect(keys.count == 1)
            let (topic, key) = try keys[0].decode((String, String).self)
            #expect(topic == "metering.usage" && key == meter["id"]?.string)
        }
    }
}
