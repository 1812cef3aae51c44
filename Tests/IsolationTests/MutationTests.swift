import Foundation
import Postgres
import TestSupport
import Testing

/// Takes down every fence in turn: minutes of work, so only when `make mutation-test` asks for it.
@Suite("Every fence that is taken down", .enabled(if: ProcessInfo.processInfo.environment["ATRIUM_MUTATION"] == "1"))
struct MutationTests {
    private static let workers = 3

    private struct Line: Sendable {
        let number: Int
        let mutant: String
        let caughtBy: String?
    }

    @Test("is noticed", .timeLimit(.minutes(30)))
    func everyMutantIsCaught() async throws {
        let lines = try await withThrowingTaskGroup(of: [Line].self) { group in
            for worker in 0..<Self.workers {
                group.addTask {
                    // A database for each worker: changes of tables wait for one another.
                    try await Battery.withDatabase { connection in
                        let battery = try await Battery(on: connection)
                        let mutants = try await Mutants(battery.catalogue, on: connection).all
                        var lines: [Line] = []
                        for number in stride(from: worker, to: mutants.count, by: Self.workers) {
                            lines.append(try await Self.line(number, mutants[number], battery, connection))
                        }
                        return lines
                    }
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }.sorted { $0.number < $1.number }
        }
        let survivors = lines.filter { $0.caughtBy == nil }
        try Self.report(lines, survivors.count)
        #expect(lines.count > 500)
        #expect(survivors.isEmpty, "\(survivors.map(\.mutant).joined(separator: "\n"))")
    }

    private static func line(
        _ number: Int, _ mutant: Mutant, _ battery: Battery, _ connection: PostgresConnection
    ) async throws -> Line {
        while true {
            do {
                let failure = try await battery.firstFailure(
                    after: mutant.change, trying: mutant.table, on: connection)
                return Line(number: number, mutant: mutant.name, caughtBy: failure?.check)
            } catch let error as PostgresError where error.sqlState == "XX000" && error.message.contains("concurrently")
            {
                // Another worker changed the same role at this moment.
                continue
            } catch let error as PostgresError {
                throw BrokenMutant(name: mutant.name, reason: error.debugDescription)
            }
        }
    }

    private static func report(_ lines: [Line], _ survivors: Int) throws {
        var text = "| mutant | caught by |\n|---|---|\n"
        for line in lines { text += "| \(line.mutant) | \(line.caughtBy ?? "**nothing**") |\n" }
        text += "\n\(lines.count) mutants, \(survivors) survived.\n"
        print(text)
        try Data(text.utf8).write(to: Places.packageRoot.appending(path: ".build/mutation-report.md"))
    }
}

/// A mutant that the database would not take.
struct BrokenMutant: Error, CustomStringConvertible {
    let name: String
    let reason: String

    var description: String { "mutant '\(name)' can't be made: \(reason)" }
}
