import Foundation
import Kernel
import Metering
import MeteringContracts
import Testing

let now = Timestamp("2026-02-03T09:30:20Z")!

func meter(_ key: String, _ aggregation: Aggregation = .sum, recorded: Int64 = 0) -> Meter {
    Meter(
        restoring: IdentifierSource.system.next(),
        definition: MeterDefinition(key: MeterKey(key)!, aggregation: aggregation, unit: "unit"), definedAt: now,
        version: 1, recorded: recorded)
}

func event(
    _ id: String = "1", source: String = "/test", meter: String = "egress", value: String? = "1",
    time: String? = nil, type: String = "com.example.usage", subject: String? = nil, dimensions: [String: String] = [:]
) throws -> UsageEvent {
    UsageEvent(
        identity: UsageIdentity(source: source, id: id), type: type, subject: subject,
        time: time.map { Timestamp($0)! }, meter: MeterKey(meter)!, value: try value.map { try Quantity($0) },
        dimensions: dimensions)
}

@Suite("Recording usage")
struct RecordingTests {
    let egress = meter("egress", recorded: 7)
    let calls = meter("calls", .count)

    private func recording(_ events: [UsageEvent], policy: UsagePolicy = .reported, at time: Timestamp = now)
        -> Recording
    {
        Recording(
            events, meters: [egress.definition.key: egress, calls.definition.key: calls], policy: policy, at: time)
    }

    /// What becomes of events when the database knows none of them.
    private func outcomes(_ events: [UsageEvent], policy: UsagePolicy = .reported) -> [UsageOutcome] {
        var recording = recording(events, policy: policy)
        return recording.settle(new: Set(recording.candidates.map(\.event.identity)), known: [:])
    }

    @Test("takes each event of a batch by itself, in the order they came")
    func each() throws {
        let unknown = try event("2", meter: "egres")
        #expect(
            try outcomes([event("1"), unknown, event("3", meter: "calls", value: nil)])
                == [.accepted, .refused(.unknownMeter(unknown.meter)), .accepted])
    }

    @Test("counts the same event once within a batch, and refuses another under its identity")
    func withinBatch() throws {
        #expect(
            try outcomes([event(), event(), event(value: "1.0"), event(value: "2"), event(source: "/other")])
                == [.accepted, .duplicate, .duplicate, .refused(.conflict), .accepted])
    }

    @Test("compares identities byte by byte, as the database does")
    func bytes() throws {
        #expect(try outcomes([event("caf\u{E9}"), event("cafe\u{301}")]) == [.accepted, .accepted])
    }

    @Test(
        "tells other content apart, whatever differs",
        arguments: [
            try event(value: "1.000000000001"), try event(meter: "calls", value: nil), try event(type: "other"),
            try event(subject: "s"), try event(time: "2026-02-03T09:30:20Z"), try event(dimensions: ["a": "b"]),
        ])
    func content(_ other: UsageEvent) throws {
        #expect(try outcomes([event(), other]) == [.accepted, .refused(.conflict)])
    }

    @Test("tells duplicates and conflicts from what is new by what the database knows")
    func settle() throws {
        let events = try [event("new"), event("same"), event("other"), event("other", value: "2"), event("same")]
        var recording = recording(events)
        let contents = Dictionary(uniqueKeysWithValues: recording.candidates.map { ($0.event.identity, $0.content) })
        let other = try self.recording([event("other", value: "2")]).candidates[0]
        let outcomes = recording.settle(
            new: [events[0].identity],
            known: [events[1].identity: contents[events[1].identity]!, other.event.identity: other.content])
        #expect(outcomes == [.accepted, .duplicate, .refused(.conflict), .duplicate, .duplicate])
        #expect(recording.recorded.map(\.record.event.identity.id) == ["new"])
    }

    @Test("asks the database for identities in their own order, each once")
    func candidates() throws {
        let recording = recording(
            try [event("b"), event("a"), event("c", source: "/a"), event("b"), event("x", meter: "unknown")])
        #expect(recording.candidates.map(\.event.identity.id) == ["c", "a", "b"])
    }

    @Test("numbers what a meter records on from what it has recorded")
    func sequence() throws {
        var recording = recording(try [event("1"), event("2", meter: "calls", value: nil), event("3"), event("1")])
        _ = recording.settle(new: Set(recording.candidates.map(\.event.identity)), known: [:])
        #expect(recording.recorded.map(\.sequence) == [8, 1, 9])
        #expect(recording.changedMeters.map(\.recorded) == [1, 9])
        #expect(recording.changedMeters.map(\.definition.key.text) == ["calls", "egress"])
    }

    @Test("adds exact values to the minute they happened in, in the order of buckets")
    func buckets() throws {
        var events = try (0..<10).map { try event("\($0)", value: "0.1", time: "2026-02-03T09:29:59.999999Z") }
        events.append(try event("next", value: "1e14", time: "2026-02-03T09:30:00Z"))
        events.append(try event("tiny", value: "0.000000000001", time: "2026-02-03T09:30:59.999999Z"))
        events.append(try event("timeless", meter: "calls", value: nil))
        var recording = recording(events)
        _ = recording.settle(new: Set(recording.candidates.map(\.event.identity)), known: [:])
        let buckets = recording.buckets
        #expect(buckets == buckets.sorted { $0.id < $1.id })
        let egress = buckets.filter { $0.id.meterID == self.egress.id }
        #expect(egress.map(\.id.minute.description) == ["2026-02-03T09:29:00Z", "2026-02-03T09:30:00Z"])
        #expect(egress.map(\.count) == [10, 2])
        #expect(egress.map(\.sum.description) == ["1", "100000000000000.000000000001"])
        let calls = buckets.filter { $0.id.meterID == self.calls.id }
        #expect(calls.map(\.id.minute.description) == ["2026-02-03T09:30:00Z"])
        #expect(calls.map(\.sum) == [1])
    }

    @Test("a meter that adds up needs a value, one that counts takes none but 1")
    func values() throws {
        let key = MeterKey("calls")!
        #expect(
            try outcomes([
                event("1", value: nil), event("2", meter: "calls", value: "1.0"),
                event("3", meter: "calls", value: "2"),
                event("4", meter: "calls", value: "0"), event("5", value: "0"),
            ]) == [
                .refused(.valueMissing(egress.definition.key)), .accepted, .refused(.valueOnCount(key)),
                .refused(.valueOnCount(key)), .accepted,
            ])
    }

    @Test(
        "takes usage from 35 days back to 5 minutes ahead, the ends included",
        arguments: [
            ("2025-12-30T09:30:20Z", true), ("2025-12-30T09:30:19.999999Z", false), ("2026-02-03T09:35:20Z", true),
            ("2026-02-03T09:35:20.000001Z", false), ("0001-01-01T00:00:00Z", false), ("9999-12-31T23:59:59Z", false),
        ])
    func bounds(_ time: String, _ isTaken: Bool) throws {
        let outcome = try outcomes([event(time: time)])[0]
        #expect((outcome == .accepted) == isTaken)
        if !isTaken {
            guard case .refused(let refusal) = outcome else { return }
            #expect(["too-old", "too-far-ahead"].contains(refusal.code))
            #expect(refusal.description.contains(time))
        }
    }

    @Test("keeps Atrium's own meters and sources to Atrium, and counts its usage however late")
    func own() throws {
        let own = try event(source: "/atrium/orders", meter: "orders.placed", value: nil, time: "2020-01-01T00:00:00Z")
        #expect(outcomes([own]) == [.refused(.reservedSource)])
        #expect(
            try outcomes([event(meter: "orders.placed", value: nil)]) == [.refused(.builtInMeter(.ordersPlaced))])
        #expect(try outcomes([event(source: "/atrium/")]) == [.refused(.reservedSource)])
        #expect(try outcomes([event(source: "/atrium")]) == [.accepted])
        #expect(
            try outcomes([event(source: "/atrium/x", time: "2020-01-01T00:00:00Z")], policy: .derived) == [.accepted])
    }

    @Test("tells others what was recorded")
    func publication() throws {
        var recording = recording([
            try event("e-1", value: "12.50", time: "2026-02-03T09:00:00Z", subject: "disk", dimensions: ["zone": "a"])
        ])
        _ = recording.settle(new: [recording.candidates[0].event.identity], known: [:])
        let tenant: TenantID = IdentifierSource.system.next()
        let expected = UsageRecordedV1(
            tenantId: tenant, meterId: egress.id, meter: "egress", source: "/test", id: "e-1", value: "12.5",
            subject: "disk", dimensions: ["zone": "a"], time: Timestamp("2026-02-03T09:00:00Z")!, recordedAt: now)
        #expect(recording.recorded[0].publication(tenantID: tenant) == expected)
    }
}

@Suite("A meter")
struct MeterTests {
    @Test("may be defined again as it is, and not otherwise")
    func confirm() throws {
        let meter = meter("egress")
        try meter.confirm(meter.definition)
        for other in [
            MeterDefinition(key: meter.definition.key, aggregation: .count, unit: "unit"),
            MeterDefinition(key: meter.definition.key, aggregation: .sum, unit: "GB"),
        ] {
            #expect(throws: MeteringError.definedOtherwise(meter.definition)) { try meter.confirm(other) }
        }
    }
}
