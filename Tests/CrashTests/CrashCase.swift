import DevStack
import Foundation
import TestSupport
import Testing

/// A fault, and how it is brought about while the load goes on.
struct CrashCase: Sendable, CustomTestStringConvertible {
    /// Cases of one kind bring their faults about in the same way; each kind has a control.
    enum Kind: String, Sendable, CaseIterable {
        case kill, brokerDown, brokerAnswers, rebalance, database, takeover, zombie
    }

    /// What a fault that took place leaves behind.
    struct Outcome: Sendable {
        /// How often the fault took place.
        var fired: Int
        var note = ""
    }

    let kind: Kind
    let name: String
    let fault: String
    /// Part of the third that `make test` runs.
    var isRepresentative = false
    var needs = Arena.Needs()
    /// How many records at least must have come twice, where that is what the fault is about.
    var leastDuplicates = 0
    /// Starts processes, strikes, and leaves all that is needed running; the load goes on meanwhile.
    let strike: @Sendable (Arena) async throws -> Outcome

    var testDescription: String { name }

    /// Runs it and answers its line of the matrix; throws where the fault did not take place.
    func run(disarmed: Bool = false, awaiting finding: Finding.Kind? = nil) async throws -> MatrixRow {
        let begin = ContinuousClock.now
        return try await Arena.with(needs, disarmed: disarmed) { arena in
            let outcome = try await underLoad(arena)
            guard outcome.fired > 0 else { throw FaultDidNotFire(what: name) }
            let (audit, records) = try await arena.settle(
                within: finding?.mayHeal == true ? .seconds(20) : .seconds(60), awaiting: finding)
            guard audit.duplicates >= leastDuplicates else {
                throw FaultDidNotFire(what: "\(name): nothing came twice")
            }
            return MatrixRow(
                name: name, fault: fault, fired: outcome.fired, note: outcome.note, ledger: arena.load.ledger,
                audit: audit, records: records.count, took: begin.duration(to: .now),
                transcripts: audit.findings.isEmpty ? "" : arena.transcripts)
        }
    }

    /// Runs it when its turn comes, and gives it up where it takes too long.
    func takingTurns(disarmed: Bool = false, awaiting finding: Finding.Kind? = nil) async throws -> MatrixRow {
        try await Slots.shared.taking {
            try await withDeadline(
                .seconds(240), late: DevStackError(.tooLate, "\(name) did not come to an end within 240 s.")
            ) { try await run(disarmed: disarmed, awaiting: finding) }
        }
    }

    private func underLoad(_ arena: Arena) async throws -> Outcome {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await arena.load.run() }
            do {
                let outcome = try await strike(arena)
                arena.load.wrapUp()
                try await group.waitForAll()
                return outcome
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }
}

/// One line of the matrix.
struct MatrixRow: Sendable {
    let name: String
    let fault: String
    let fired: Int
    let note: String
    let orders: Int
    let records: Int
    let audit: Audit
    let took: Duration
    /// What the processes printed, where the verdict is bad.
    let transcripts: String

    init(
        name: String, fault: String, fired: Int, note: String, ledger: Ledger, audit: Audit, records: Int,
        took: Duration, transcripts: String
    ) {
        self.name = name
        self.fault = fault
        self.fired = fired
        self.note = note
        orders = ledger.orders.count
        self.records = records
        self.audit = audit
        self.took = took
        self.transcripts = transcripts
    }

    var verdict: String { audit.findings.isEmpty ? "holds" : "BROKEN" }

    static let columns = "case\tfault\tfired\torders\tevents\teffects\tduplicates\treorderings\tverdict\tseconds\tnote"

    /// The columns with tabs between, as scripts/crash-test.sh makes a table of them.
    var line: String {
        [
            name, fault, "\(fired)", "\(orders)", "\(records - audit.duplicates)", "\(audit.effects)",
            "\(audit.duplicates)", "\(audit.reorderings)", verdict, "\(took.components.seconds)", note,
        ].joined(separator: "\t")
    }

    /// Adds the line to the file that `ATRIUM_CRASH_REPORT` names; every line is one write, so that none are mixed.
    static func report(_ line: String) {
        print("crash matrix: " + line.replacing("\t", with: " | "))
        guard let path = ProcessInfo.processInfo.environment["ATRIUM_CRASH_REPORT"] else { return }
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        guard file >= 0 else { return }
        _ = Array((line + "\n").utf8).withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        close(file)
    }
}

/// How many cases run side by side.
actor Slots {
    static let shared = Slots(
        ProcessInfo.processInfo.environment["ATRIUM_CRASH_WIDTH"].flatMap { Int($0) } ?? 4)

    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(_ count: Int) { free = count }

    nonisolated func taking<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        await take()
        do {
            let result = try await body()
            await giveBack()
            return result
        } catch {
            await giveBack()
            throw error
        }
    }

    private func take() async {
        if free > 0 {
            free -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    private func giveBack() {
        if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
    }
}
