import Foundation
import Synchronization

/// One running, or stopped, PostgreSQL server with a data folder of its own.
package final class PostgresInstance: Sendable {
    package enum StopMode: Sendable {
        /// Waits until every client has gone.
        case smart
        /// Disconnects the clients and writes everything to the disk.
        case fast
        /// Ends at once; the next start recovers from the log.
        case immediate

        fileprivate var signal: Int32 {
            switch self {
            case .smart: SIGTERM
            case .fast: SIGINT
            case .immediate: SIGQUIT
            }
        }
    }

    /// Where to reach it as the superuser, over TCP; the same after every restart.
    package let address: PostgresAddress
    package let logPath: String
    private let folder: ClusterFolder
    private let binaries: PostgresBinaries
    private let user: SystemUser?
    private let settings: PostgresSettings
    private let deathSignal: Program.DeathSignal
    private let child = Mutex<ChildProcess?>(nil)

    init(
        _ folder: ClusterFolder, address: PostgresAddress, binaries: PostgresBinaries, as user: SystemUser?,
        settings: PostgresSettings, deathSignal: Program.DeathSignal
    ) {
        self.folder = folder
        self.binaries = binaries
        self.user = user
        self.settings = settings
        self.deathSignal = deathSignal
        self.address = address
        logPath = folder.log
    }

    package var isRunning: Bool { process?.isRunning ?? false }

    package var processID: Int32? { process.flatMap { $0.isRunning ? $0.processID : nil } }

    private var process: ChildProcess? { child.withLock { $0 } }

    /// Starts the server and returns when it takes connections; heals what an earlier run left, and does nothing when
    /// it runs already.
    package func start() async throws {
        guard !isRunning else { return }
        _ = try await ServerRemains.end(in: folder.data)
        // Nobody sits in the folder, so the file is stale, whoever has the process number in it by now.
        unlink("\(folder.data)/postmaster.pid")
        if let sockets = folder.sockets { try makeFolder(sockets, mode: 0o700, owner: user) }
        try settings.write(to: folder, address: address, owner: user)
        folder.turnLog()
        let server = Program(
            binaries.program("postgres"), ["-D", folder.data, "-c", "config_file=\(folder.settings)"],
            workingDirectory: "/", as: user, deathSignal: deathSignal)
        let started = try await ChildProcess.start(server, log: folder.log)
        child.withLock { $0 = started }
        let late = DevStackError(
            .tooLate, "PostgreSQL on port \(address.port) was not ready within 120 s. Its log: \(folder.log)")
        do {
            let ready = try await withDeadline(.seconds(120), late: late) {
                try await started.waitForLine { $0.contains("database system is ready to accept") }
            }
            guard ready != nil else {
                _ = try await started.waitForExit()
                throw failure(started.recentOutput)
            }
        } catch {
            started.send(SIGKILL)
            throw error
        }
    }

    /// Stops the server, the harder way when the asked one takes longer than `patience`.
    package func stop(_ mode: StopMode = .fast, within patience: Duration = .seconds(4)) async throws {
        guard let process, process.isRunning else { return }
        let late = DevStackError(.tooLate, "PostgreSQL on port \(address.port) could not be stopped.")
        for (signal, patience) in [(mode.signal, patience), (SIGQUIT, .seconds(1)), (SIGKILL, .seconds(5))] {
            process.send(signal)
            do {
                _ = try await withDeadline(patience, late: late) { try await process.waitForExit() }
                return
            } catch let error as DevStackError where error.code == .tooLate && signal != SIGKILL {
                continue
            }
        }
    }

    package func restart(_ mode: StopMode = .fast) async throws {
        try await stop(mode)
        try await start()
    }

    /// Kills the server as a crash would, and returns when nothing of it is left.
    package func kill() async throws {
        guard let process, process.isRunning else { return }
        process.send(SIGKILL)
        _ = try await process.waitForExit()
        if try await !ServerRemains.areGone(from: folder.data, within: .seconds(5)) {
            _ = try await ServerRemains.end(in: folder.data)
        }
    }

    /// Returns when the server has ended, for whatever reason.
    package func waitForExit() async throws -> ProgramExit? { try await process?.waitForExit() }

    /// For exit handlers, which cannot await: ends the server at once and blocks until it is gone.
    package func endBlocking() {
        process?.send(SIGQUIT)
        if process?.waitForExitBlocking(seconds: 3) == nil {
            process?.send(SIGKILL)
            _ = process?.waitForExitBlocking(seconds: 2)
        }
    }

    /// The first line of its log since the last start that matches.
    func waitForLogLine(where matches: @escaping @Sendable (String) -> Bool) async throws -> String? {
        try await process?.waitForLine(where: matches)
    }

    private func failure(_ log: [String]) -> DevStackError {
        let text = log.joined(separator: "\n")
        if text.contains("No space left on device") {
            return DevStackError(
                .diskFull, "PostgreSQL could not start: the disk of \(folder.path) is full. Free space and start again."
            )
        }
        if text.contains("Address already in use") {
            return DevStackError(
                .portTaken,
                "Port \(address.port) of 127.0.0.1 is taken. Stop what listens there (ss -ltnp), or choose another.")
        }
        return DevStackError(
            .serverFailed,
            """
            PostgreSQL did not start. Its last words:
            \(log.suffix(6).map { "    " + $0 }.joined(separator: "\n"))
            The whole log is \(folder.log). Should the data be spoilt, start over with `atrium dev --reset`.
            """)
    }
}

// MARK: SQL for setting up

extension PostgresInstance {
    /// Runs SQL through `psql`, statement by statement, and hands back the rows as text.
    ///
    /// For setting up and for tests: it needs none of the code under test.
    package func execute(_ sql: String, database: String? = nil) async throws -> String {
        let arguments = [
            "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", address.socketDirectory ?? address.host,
            "-p", String(address.port), "-U", address.user, "-d", database ?? address.database, "-f", "-",
        ]
        var environment = Program.plainEnvironment
        environment["PGPASSWORD"] = address.password
        let answer = try await ChildProcess.run(
            Program(
                binaries.program("psql"), arguments, environment: environment, workingDirectory: "/",
                input: Array(sql.utf8)))
        guard answer.status.isSuccess else {
            throw DevStackError(.programFailed, "psql refused (\(answer.status)): \(answer.errors)")
        }
        return answer.output.trimmingCharacters(in: .newlines)
    }
}
