import Foundation
import Kernel
import Postgres
import TestSupport

/// All cases: `ATRIUM_CRASH_MATRIX=all` runs every one, `ATRIUM_CRASH_CASE` those with one of these texts in their names
/// (`|` between them); otherwise a representative third is run.
enum CrashMatrix {
    static let all = kills + parked + brokerCases + databaseCases + processCases

    static var isWhole: Bool { ProcessInfo.processInfo.environment["ATRIUM_CRASH_MATRIX"] == "all" }

    static var chosen: [CrashCase] {
        let named = ProcessInfo.processInfo.environment["ATRIUM_CRASH_CASE"]?.split(separator: "|")
        return all.filter { one in
            named?.contains { one.name.contains($0) } ?? (isWhole || one.isRepresentative)
        }
    }

    /// One case of each kind, to be run without its fault.
    static var controls: [CrashCase] {
        CrashCase.Kind.allCases.compactMap { kind in
            isWhole || [.kill, .brokerAnswers].contains(kind) ? all.first { $0.kind == kind } : nil
        }
    }

    // MARK: Killed at a failpoint

    static let kills: [CrashCase] =
        [
            // Where requests are answered, and where reactions write their own events.
            killed(at: "outbox.before-commit", in: "http", visits: 4, 25),
            killed(at: "outbox.after-commit", in: "http", visits: 6, 25, isRepresentative: true),
            killed(at: "outbox.before-commit", in: "consumers", visits: 2, 9),
            killed(at: "outbox.after-commit", in: "consumers", visits: 2, 9),
        ]
        + ["relay.before-produce", "relay.after-produce", "relay.after-report", "relay.after-cursor"].map {
            killed(at: $0, in: "relay", visits: 3, 12, isRepresentative: $0 == "relay.after-report")
        }
        + [
            "inbox.before-commit", "inbox.after-commit", "consumer.before-store", "consumer.after-store",
            "consumer.after-offset-commit",
        ].map {
            killed(
                at: $0, in: "consumers", visits: 3, 12,
                isRepresentative: ["inbox.after-commit", "consumer.after-store"].contains($0))
        } + [
            killed(at: "relay.after-produce", in: "http,relay,consumers", visits: 5, 20),
            killed(at: "inbox.before-commit", in: "http,relay,consumers", visits: 5, 20),
        ]

    /// Dies at the visits named, one after the other; whoever has the other roles lives on.
    private static func killed(
        at failpoint: String, in roles: String, visits: Int..., isRepresentative: Bool = false
    ) -> CrashCase {
        let visits = isWhole ? visits : Array(visits.suffix(1))
        return CrashCase(
            kind: .kill, name: "\(failpoint) in \(roles)", fault: "SIGKILL", isRepresentative: isRepresentative
        ) { arena in
            let others = ["http", "relay", "consumers"].filter { !roles.contains($0) }.joined(separator: ",")
            if !others.isEmpty { try await arena.station(others).start() }
            let victim = try arena.station(roles)
            for visit in visits {
                try await victim.start("\(failpoint)=kill@\(visit)")
                try await victim.awaitKill(at: failpoint)
            }
            try await victim.start()
            return CrashCase.Outcome(fired: victim.struck(failpoint, "kill"))
        }
    }

    // MARK: Killed while a failing event is put aside

    static let parked = ["park.before-commit", "park.after-commit"].map { failpoint in
        CrashCase(
            kind: .kill, name: "\(failpoint) in consumers", fault: "SIGKILL, invoices refused",
            isRepresentative: failpoint == "park.after-commit"
        ) { arena in
            // Until the process has died, no invoice of a tenant in the pool gets through.
            for change: SQL in [
                """
                CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN RAISE EXCEPTION ''refused''; END'
                """,
                "CREATE TRIGGER refuse BEFORE INSERT ON billing.invoices FOR EACH ROW EXECUTE FUNCTION public.refuse()",
            ] { try await PostgresConnection.execute(change, at: arena.database) }
            try await arena.station("http,relay").start()
            let victim = try arena.station("consumers")
            try await victim.start("\(failpoint)=kill@3")
            try await victim.awaitKill(at: failpoint)
            try await PostgresConnection.execute("DROP TRIGGER refuse ON billing.invoices", at: arena.database)
            try await victim.start()
            let replayed = try await arena.replayDeadLetters()
            return CrashCase.Outcome(
                fired: replayed > 0 ? victim.struck(failpoint, "kill") : 0, note: "\(replayed) replayed")
        }
    }

    // MARK: Killed anywhere

    static let killedAtRandom = CrashCase(
        kind: .kill, name: "anywhere, all roles in one", fault: "SIGKILL ×5", isRepresentative: true,
        needs: Arena.Needs(tiers: [.pool, .bridge, .silo])
    ) { arena in
        let victim = try arena.station("http,relay,consumers")
        var killed = 0
        var milestone = 0
        for _ in 0..<(isWhole ? 5 : 3) {
            try await victim.start()
            // Under way again, and then at a moment that nothing in the program chooses.
            milestone = try await arena.progress(beyond: milestone, by: 10)
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...400)))
            killed += try await arena.faults.kill(victim)
        }
        try await victim.start()
        return CrashCase.Outcome(fired: killed)
    }
}

extension Arena {
    /// Waits until so many orders more have been opened; answers how many there are.
    func progress(beyond count: Int = 0, by orders: Int) async throws -> Int {
        try await Waiting.until(
            "\(orders) orders more than \(count)", within: .seconds(60), every: .milliseconds(20)
        ) { load.ledger.orders.count >= count + orders }
        return load.ledger.orders.count
    }

    /// What an operator does about events that failed for a reason that has gone, until there are none.
    func replayDeadLetters() async throws -> Int {
        var replayed = 0
        for context in ["billing", "metering"] {
            for _ in 0..<20 {
                let list = try await command("events", "dead-letters", "list", "--context", context)
                let ids = list.split(separator: "\n").dropFirst().compactMap { $0.split(separator: "\t").first }
                if ids.isEmpty { break }
                for id in ids {
                    _ = try await command("events", "dead-letters", "replay", "--context", context, String(id))
                }
                replayed += ids.count
            }
        }
        return replayed
    }
}
