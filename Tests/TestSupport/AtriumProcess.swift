package import DevStack
import Foundation
import Synchronization
package import Testing

/// The built `atrium`, running as a process of its own.
package final class AtriumProcess: Sendable {
    /// What shows that it is up.
    package enum Readiness: Sendable {
        /// It printed a line that contains this.
        case line(String)
        /// This URL answers 200.
        case url(String)
        /// Nothing is waited for.
        case none
    }

    @TaskLocal fileprivate static var running: [AtriumProcess] = []
    private static let counter = Atomic<Int>(0)

    package let logPath: String
    private let child: ChildProcess

    private init(child: ChildProcess, logPath: String) {
        self.child = child
        self.logPath = logPath
    }

    package static func start(
        _ arguments: [String], environment: [String: String] = [:], workingDirectory: String? = nil,
        readyWhen readiness: Readiness, within limit: Duration = .seconds(60)
    ) async throws -> AtriumProcess {
        let program = Places.products.appending(path: "atrium").path()
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw DevStackError(.programMissing, "\(program) is not built. Run: swift build --product atrium")
        }
        let number = counter.add(1, ordering: .relaxed).newValue
        let log = try Places.logFile("atrium-\(getpid())-\(number).log")
        let inherited = ProcessInfo.processInfo.environment.filter { $0.key == "PATH" || $0.key == "HOME" }
        let child = try await ChildProcess.start(
            Program(
                program, arguments, environment: inherited.merging(environment) { _, own in own },
                workingDirectory: workingDirectory),
            log: log)
        let process = AtriumProcess(child: child, logPath: log)
        do {
            try await process.wait(for: readiness, within: limit)
        } catch {
            child.send(SIGKILL)
            throw error
        }
        return process
    }

    /// Starts one, hands it to `body`, and ends it afterwards; with the trait `.showsPrograms`, failures in `body` show
    /// what it printed.
    package static func with<R>(
        _ arguments: [String], environment: [String: String] = [:], workingDirectory: String? = nil,
        readyWhen readiness: Readiness, within limit: Duration = .seconds(60),
        _ body: (AtriumProcess) async throws -> R
    ) async throws -> R {
        let process = try await start(
            arguments, environment: environment, workingDirectory: workingDirectory, readyWhen: readiness, within: limit
        )
        defer { process.child.send(SIGKILL) }
        let result = try await $running.withValue(running + [process]) { try await body(process) }
        _ = try await process.terminate()
        return result
    }

    package var processID: Int32 { child.processID }
    package var isRunning: Bool { child.isRunning }

    /// The newest lines it printed.
    package var output: [String] { child.recentOutput }

    /// The first line, old or new, that contains `text`; nil when it ended without one.
    package func line(containing text: String) async throws -> String? {
        try await child.waitForLine { $0.contains(text) }
    }

    package func waitForExit(within limit: Duration = .seconds(20)) async throws -> ProgramExit {
        let late = DevStackError(.tooLate, "atrium did not end within \(limit).\n\(transcript)")
        return try await withDeadline(limit, late: late) { [child] in try await child.waitForExitAndOutput() }
    }

    /// Asks it to end, as Ctrl-C and an orchestrator do, and waits.
    package func terminate(within limit: Duration = .seconds(20)) async throws -> ProgramExit {
        child.send(SIGTERM)
        return try await waitForExit(within: limit)
    }

    /// Kills it as a crash would, and waits.
    package func kill() async throws {
        child.send(SIGKILL)
        _ = try await child.waitForExit()
    }

    package func send(_ signal: Int32) { child.send(signal) }

    /// What it printed last, for messages.
    package var transcript: String {
        "atrium (\(child.processID)) printed, whole in \(logPath):\n"
            + output.suffix(60).map { "    " + $0 }.joined(separator: "\n")
    }

    private func wait(for readiness: Readiness, within limit: Duration) async throws {
        switch readiness {
        case .none: return
        case .line(let text):
            let late = DevStackError(.tooLate, "atrium did not print “\(text)” within \(limit).\n\(transcript)")
            let line = try await withDeadline(limit, late: late) { try await self.line(containing: text) }
            guard line != nil else { throw endedEarly() }
        case .url(let url):
            let client = HTTP(url)
            try await Waiting.until("\(url) answers 200", within: limit, every: .milliseconds(20)) {
                guard child.isRunning else { throw endedEarly() }
                return (try? await client.get(""))?.status == 200
            }
        }
    }

    private func endedEarly() -> DevStackError {
        DevStackError(.programFailed, "atrium ended before it was ready.\n\(transcript)")
    }
}

extension Trait where Self == IssueHandlingTrait {
    /// Adds to each failure what the programs printed that `AtriumProcess.with` runs at that moment.
    package static var showsPrograms: Self {
        .compactMapIssues { issue in
            var told = issue
            told.comments += AtriumProcess.running.map { Comment(rawValue: $0.transcript) }
            return told
        }
    }
}
