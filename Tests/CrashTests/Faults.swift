import DevStack
import Foundation
import Kafka
import Postgres
import TestSupport

/// The case brought no fault about, so whatever it found proves nothing.
struct FaultDidNotFire: Error, CustomStringConvertible {
    let what: String

    var description: String { "the fault did not fire: \(what)" }
}

/// Every fault of the matrix goes through here; each answers how often it took place, by somebody else's count.
///
/// Disarmed, nothing happens to anybody, and each case has to notice.
struct Faults: Sendable {
    let isDisarmed: Bool
    let broker: EmbeddedBroker
    let database: PostgresAddress
    let server: EmbeddedPostgres?

    /// How long a fault may take to come about.
    var patience: Duration { isDisarmed ? .seconds(8) : .seconds(60) }

    func arm(_ failpoints: String) -> String? { isDisarmed ? nil : failpoints }

    // MARK: Processes

    /// Halts a process where it is, which Linux has to confirm; the kernel goes on answering for its sockets.
    func halt(_ process: AtriumProcess) async throws -> Int {
        guard !isDisarmed else { return 0 }
        process.send(SIGSTOP)
        try await Waiting.until("the process is halted") {
            let status = try String(contentsOfFile: "/proc/\(process.processID)/stat", encoding: .utf8)
            return status.split(separator: ")").last?.split(separator: " ").first == "T"
        }
        return 1
    }

    func kill(_ station: Station) async throws -> Int {
        guard !isDisarmed, let process = station.process else { return 0 }
        process.send(SIGKILL)
        return try await process.waitForExit() == .signalled(SIGKILL) ? 1 : 0
    }

    // MARK: Broker

    /// Takes the broker down until `body` has ended.
    func brokerDown(while body: () async throws -> Void) async throws -> Int {
        guard !isDisarmed else {
            try await body()
            return 0
        }
        try broker.setDown(true)
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        try broker.setDown(false)
        try result.get()
        return 1
    }

    /// Answers requests so, and waits until all those answers were fetched.
    func answer(_ request: EmbeddedBroker.Request, with answers: [EmbeddedBroker.Answer]) async throws -> Int {
        guard !isDisarmed else { return 0 }
        try broker.answer(request, with: answers)
        try await Waiting.until("the broker has given these answers", within: patience, every: .milliseconds(20)) {
            try broker.answersLeft(for: request) == 0
        }
        return answers.count
    }

    /// Prepares answers for what `body` brings about, and waits until they were fetched.
    func answer(
        _ request: EmbeddedBroker.Request, with answers: [EmbeddedBroker.Answer], during body: () async throws -> Void
    ) async throws -> Int {
        if !isDisarmed { try broker.answer(request, with: answers) }
        try await body()
        return try await answer(request, with: []) + (isDisarmed ? 0 : answers.count)
    }

    /// Takes records, and goes down before it has said so; up again after `body`.
    func loseAnswer(while body: () async throws -> Void) async throws -> Int {
        guard !isDisarmed else { return 0 }
        _ = try await answer(.produce, with: [EmbeddedBroker.Answer(after: .seconds(5))])
        return try await brokerDown(while: body)
    }

    // MARK: PostgreSQL

    /// Cuts every connection of the server's login.
    func cutConnections() async throws -> Int {
        guard !isDisarmed else { return 0 }
        let rows = try await PostgresConnection.execute(
            """
            SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE usename = 'atrium_app' AND datname = current_database()
            """, at: database)
        return Int(try rows[0].decode(Int64.self))
    }

    /// Ends PostgreSQL and starts it again.
    func restartServer(_ end: (PostgresInstance) async throws -> Void) async throws -> Int {
        guard !isDisarmed, let server = server?.primary, let before = server.processID else { return 0 }
        try await end(server)
        guard !server.isRunning else { return 0 }
        try await server.start()
        return server.processID == before ? 0 : 1
    }
}
