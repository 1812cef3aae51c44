import DevStack
import Foundation
import TestSupport

/// Processes share the work, and one of them comes, goes, dies, or comes back too late.
extension CrashMatrix {
    static let processCases: [CrashCase] = [
        killedAtRandom,
        CrashCase(
            kind: .rebalance, name: "consumers join and leave", fault: "rebalances", isRepresentative: true
        ) { arena in
            try await arena.station("http,relay,consumers").start()
            var worked = 0
            for _ in 0..<(isWhole ? 2 : 1) {
                let second = try arena.station("consumers")
                if !arena.faults.isDisarmed { try await second.start() }
                // It has been given partitions, and so they were taken from the first.
                if try await arena.works(second, "atrium_inbox_processed_total") { worked += 2 }
                try await second.stop()
            }
            return CrashCase.Outcome(fired: worked)
        },
        CrashCase(kind: .rebalance, name: "a consumer joins and dies", fault: "rebalance, SIGKILL") { arena in
            try await arena.station("http,relay,consumers").start()
            let second = try arena.station("consumers")
            if !arena.faults.isDisarmed { try await second.start() }
            guard try await arena.works(second, "atrium_inbox_processed_total") else {
                return CrashCase.Outcome(fired: 0)
            }
            return CrashCase.Outcome(fired: 1 + (try await arena.faults.kill(second)))
        },
        takeover("relay.after-produce", isRepresentative: true),
        takeover("relay.after-cursor"),
        relayZombie("relay.before-produce"),
        relayZombie("relay.after-report", isRepresentative: true),
        CrashCase(
            kind: .zombie, name: "a consumer halted at inbox.before-commit", fault: "SIGSTOP past the session, SIGCONT"
        ) { arena in
            try await arena.station("http,relay").start()
            let first = try arena.station("consumers")
            try await first.start("inbox.before-commit=delay:3000@6x1")
            try await first.awaitStrike(at: "inbox.before-commit", "delay")
            guard let zombie = first.process else { return CrashCase.Outcome(fired: 0) }
            let halted = try await arena.faults.halt(zombie)
            let second = try arena.station("consumers")
            try await second.start()
            guard try await arena.works(second, "atrium_inbox_processed_total") else {
                return CrashCase.Outcome(fired: 0)
            }
            _ = try await arena.progress(beyond: arena.load.ledger.orders.count, by: 5)
            zombie.send(SIGCONT)
            return CrashCase.Outcome(fired: halted)
        },
    ]

    /// Two relays; the one that is publishing dies, and is not started again.
    private static func takeover(_ failpoint: String, isRepresentative: Bool = false) -> CrashCase {
        CrashCase(
            kind: .takeover, name: "takeover after \(failpoint)", fault: "SIGKILL of one of two relays",
            isRepresentative: isRepresentative
        ) { arena in
            try await arena.station("http,consumers").start()
            let first = try arena.station("relay")
            try await first.start("\(failpoint)=kill@8")
            // It has begun to publish before there is another.
            _ = try await arena.works(first, "atrium_outbox_published_total")
            let second = try arena.station("relay")
            try await second.start()
            try await first.awaitKill(at: failpoint)
            let death = ContinuousClock.now
            let before = await second.counter("atrium_outbox_published_total")
            try await Waiting.until("the other relay takes over", within: .seconds(20), every: .milliseconds(20)) {
                await second.counter("atrium_outbox_published_total") > before
            }
            let took = death.duration(to: .now) / .seconds(1)
            return CrashCase.Outcome(
                fired: first.struck(failpoint, "kill"), note: "published again after \((took * 10).rounded() / 10) s")
        }
    }

    /// Halted in the midst of a batch until its lease has run out and another has gone on, and then let loose again.
    private static func relayZombie(_ failpoint: String, isRepresentative: Bool = false) -> CrashCase {
        CrashCase(
            kind: .zombie, name: "a relay halted at \(failpoint)", fault: "SIGSTOP past the lease, SIGCONT",
            isRepresentative: isRepresentative
        ) { arena in
            try await arena.station("http,consumers").start()
            let first = try arena.station("relay")
            try await first.start("\(failpoint)=delay:3000@8x1")
            try await first.awaitStrike(at: failpoint, "delay")
            guard let zombie = first.process else { return CrashCase.Outcome(fired: 0) }
            let halted = try await arena.faults.halt(zombie)
            let second = try arena.station("relay")
            try await second.start()
            guard try await arena.works(second, "atrium_outbox_published_total") else {
                return CrashCase.Outcome(fired: 0)
            }
            _ = try await arena.progress(beyond: arena.load.ledger.orders.count, by: 10)
            zombie.send(SIGCONT)
            // It goes on where it was, with a lease that is another's by now.
            _ = try await arena.progress(beyond: arena.load.ledger.orders.count, by: 20)
            return CrashCase.Outcome(fired: halted)
        }
    }
}

extension Arena {
    /// Waits until a process has had a share of the work; false where it never gets one.
    func works(_ station: Station, _ counter: String) async throws -> Bool {
        do {
            try await Waiting.until("\(counter) moves", within: faults.patience, every: .milliseconds(50)) {
                await station.counter(counter) > 0
            }
            return true
        } catch let error as DevStackError where error.code == .tooLate {
            return false
        }
    }
}
