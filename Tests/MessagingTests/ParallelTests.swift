import Kafka
import Kernel
import Messaging
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("A consumer's work side by side")
struct ParallelTests {
    /// Stands still until it is let go.
    final class Gate: Sendable {
        private let waiting = Mutex<(isOpen: Bool, line: [CheckedContinuation<Void, Never>])>((false, []))

        /// How many stand there.
        var count: Int { waiting.withLock { $0.line.count } }

        func pass() async {
            await withCheckedContinuation { continuation in
                let isOpen = waiting.withLock { waiting in
                    if !waiting.isOpen { waiting.line.append(continuation) }
                    return waiting.isOpen
                }
                if isOpen { continuation.resume() }
            }
        }

        func open() {
            let line = waiting.withLock { waiting in
                waiting.isOpen = true
                defer { waiting.line = [] }
                return waiting.line
            }
            for one in line { one.resume() }
        }
    }

    @Test("one key that stands still holds back neither the other keys of its partition nor lets its offset pass")
    func standstill() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let gate = Gate()
            let records = (0..<40).map {
                var record = Reactions.record($0, tenant: tenant, key: $0 == 0 ? "slow" : "key \($0)")
                record.partition = 1
                return record
            }
            try await Reactions.send(backbone, records)
            let holding = Reactions.subscription { event in if event.number == 0 { await gate.pass() } }
            let admin = try KafkaAdmin(backbone.kafka, logger: .silent)
            try await Reactions.consuming(backbone, [holding]) {
                defer { gate.open() }
                try await Waiting.until("all others took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 39
                }
                let lag = try await admin.lag(of: "atrium.billing", topics: [ThingHappenedV1.topic])
                #expect(lag.allSatisfy { ($0.committed ?? 0) == 0 })
                gate.open()
                try await Waiting.until("its offset followed", within: .seconds(45)) {
                    try await admin.lag(of: "atrium.billing", topics: [ThingHappenedV1.topic])
                        .contains { $0.committed == 40 }
                }
            }
            await admin.close()
            #expect(try await Reactions.effects(backbone) == 40)
        }
    }

    @Test("events of each key take effect in order, many keys and retries among them")
    func order() async throws {
        struct Hiccup: Error {}
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            let records = (0..<200).map { number in
                Reactions.record(number, tenant: tenant, key: "key \(number % 10)")
            }
            try await Reactions.send(backbone, records)
            let failed = Mutex<Set<Int>>([])
            let seen = Mutex<[Int: [Int]]>([:])
            let counting = Reactions.subscription { event in
                if event.number % 17 == 0, failed.withLock({ $0.insert(event.number).inserted }) { throw Hiccup() }
                seen.withLock { $0[event.number % 10, default: []].append(event.number) }
            }
            try await Reactions.consuming(backbone, [counting]) {
                try await Waiting.until("all took effect", within: .seconds(30)) {
                    try await Reactions.effects(backbone) == 200
                }
            }
            for (key, numbers) in seen.withLock({ $0 }) {
                #expect(numbers == Array(stride(from: key, to: 200, by: 10)))
            }
        }
    }

    @Test("a tenant whose events all stand still leaves room for another's that come later")
    func tenants() async throws {
        try await Backbone.with { backbone in
            let (slow, quick): (TenantID, TenantID) = (IdentifierSource.system.next(), IdentifierSource.system.next())
            let gate = Gate()
            try await Reactions.send(backbone, (0..<60).map { Reactions.record($0, tenant: slow, key: "slow \($0)") })
            let holding = Reactions.subscription { event in if event.number < 100 { await gate.pass() } }
            try await Reactions.consuming(backbone, [holding]) {
                defer { gate.open() }
                // Three quarters of the places.
                try await Waiting.until("as many stand still as may", within: .seconds(45)) { gate.count >= 9 }
                try await Reactions.send(backbone, (100..<110).map { Reactions.record($0, tenant: quick) })
                try await Waiting.until("the other tenant's took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 10
                }
                gate.open()
                try await Waiting.until("all took effect", within: .seconds(45)) {
                    try await Reactions.effects(backbone) == 70
                }
            }
        }
    }

    @Test("a message without envelope and value is passed over; one with an envelope is not")
    func tombstones() async throws {
        try await Backbone.with { backbone in
            let tenant: TenantID = IdentifierSource.system.next()
            var hollow = Reactions.record(1, tenant: tenant, key: "a")
            hollow.value = nil
            try await Reactions.send(
                backbone,
                [
                    KafkaRecord(topic: ThingHappenedV1.topic, key: Array("b".utf8), value: nil),
                    Reactions.record(2, tenant: tenant, key: "b"), hollow,
                    Reactions.record(3, tenant: tenant, key: "a"),
                ])
            try await Reactions.consuming(backbone, [Reactions.subscription()]) {
                try await Waiting.until("one took effect, two wait", within: .seconds(45)) {
                    let letters = try await Reactions.letters(backbone)
                    return try await Reactions.effects(backbone) == 1 && letters.count == 2
                }
            }
            #expect(try await Reactions.letters(backbone).map(\.kind) == [.rejected, .waiting])
        }
    }
}
