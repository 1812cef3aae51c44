import Kafka
import TestSupport

/// The broker goes away, refuses, answers late, or loses its answers.
extension CrashMatrix {
    static let brokerCases: [CrashCase] = [
        CrashCase(
            kind: .brokerDown, name: "broker down and up", fault: "connections cut, none taken",
            isRepresentative: true
        ) { arena in
            let relay = try await allRoles(arena)
            var cuts = 0
            for _ in 0..<(isWhole ? 3 : 1) {
                let before = try await arena.progress(beyond: arena.load.ledger.orders.count, by: 10)
                let published = await relay.counter("atrium_outbox_published_total")
                cuts += try await arena.faults.brokerDown {
                    // Requests go on, and their events wait.
                    _ = try await arena.progress(beyond: before, by: 20)
                }
                try await Waiting.until("what waited is published", within: .seconds(30)) {
                    await relay.counter("atrium_outbox_published_total") > published
                }
            }
            return CrashCase.Outcome(fired: cuts)
        },
        CrashCase(
            kind: .brokerDown, name: "broker's answers lost", fault: "cut between record and answer",
            leastDuplicates: 1
        ) { arena in
            _ = try await allRoles(arena)
            _ = try await arena.progress(by: 10)
            var cuts = 0
            for _ in 0..<3 {
                let before = try await arena.progress(beyond: arena.load.ledger.orders.count, by: 10)
                cuts += try await arena.faults.loseAnswer { _ = try await arena.progress(beyond: before, by: 5) }
            }
            return CrashCase.Outcome(fired: cuts)
        },
        answered(
            .produce, "produce refused for now", [.notEnoughReplicas, .notLeader, requestTimedOut],
            isRepresentative: true),
        answered(.produce, "produce cut", [.connectionLost]),
        answered(.fetch, "fetch refused", [.notLeader, .connectionLost]),
        answered(.offsetCommit, "offset commit refused", [coordinatorLoading, notCoordinator]),
        answered(.heartbeat, "heartbeat: unknown member", [unknownMember], times: 2),
        answeredAtStart(.findCoordinator, "no coordinator yet", [coordinatorNotAvailable, coordinatorNotAvailable]),
        answeredAtStart(.initProducerID, "no producer's identity yet", [coordinatorLoading, notCoordinator]),
        slow(.produce, "produce answered late", .milliseconds(700)),
        slow(.fetch, "fetch answered late", .milliseconds(700)),
        slow(.offsetCommit, "offset commit answered late", .seconds(1)),
    ]

    private static let requestTimedOut = KafkaError.Code(rawValue: 7)
    private static let coordinatorLoading = KafkaError.Code(rawValue: 14)
    private static let coordinatorNotAvailable = KafkaError.Code(rawValue: 15)
    private static let notCoordinator = KafkaError.Code(rawValue: 16)
    private static let unknownMember = KafkaError.Code(rawValue: 25)

    private static func allRoles(_ arena: Arena) async throws -> Station {
        let station = try arena.station("http,relay,consumers")
        try await station.start()
        return station
    }

    /// Some requests of a kind are answered with errors, one after another, in the midst of others that are not.
    private static func answered(
        _ request: EmbeddedBroker.Request, _ name: String, _ errors: [KafkaError.Code], times: Int = 4,
        isRepresentative: Bool = false
    ) -> CrashCase {
        CrashCase(
            kind: .brokerAnswers, name: name, fault: "\(errors.count * times) error answers",
            isRepresentative: isRepresentative
        ) { arena in
            _ = try await allRoles(arena)
            var count = try await arena.progress(by: 15)
            var fired = 0
            for _ in 0..<times {
                for error in errors {
                    fired += try await arena.faults.answer(request, with: [EmbeddedBroker.Answer(error: error)])
                }
                count = try await arena.progress(beyond: count, by: 3)
            }
            return CrashCase.Outcome(fired: fired)
        }
    }

    /// A process is started again while a broker has no better answer to what it asks first.
    private static func answeredAtStart(
        _ request: EmbeddedBroker.Request, _ name: String, _ errors: [KafkaError.Code]
    ) -> CrashCase {
        CrashCase(kind: .brokerAnswers, name: name, fault: "\(errors.count) error answers at the start") { arena in
            let station = try await allRoles(arena)
            _ = try await arena.progress(by: 10)
            try await station.kill()
            return CrashCase.Outcome(
                fired: try await arena.faults.answer(
                    request, with: errors.map { EmbeddedBroker.Answer(error: $0) }
                ) { try await station.start() })
        }
    }

    private static func slow(
        _ request: EmbeddedBroker.Request, _ name: String, _ delay: Duration
    ) -> CrashCase {
        CrashCase(kind: .brokerAnswers, name: name, fault: "8 answers, \(delay) each") { arena in
            _ = try await allRoles(arena)
            _ = try await arena.progress(by: 15)
            let answers = Array(repeating: EmbeddedBroker.Answer(after: delay), count: 8)
            return CrashCase.Outcome(fired: try await arena.faults.answer(request, with: answers))
        }
    }
}
