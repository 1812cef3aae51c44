package import DevStack
import Foundation

/// A real PgBouncer in transaction mode, in front of one server and all of its databases.
package final class PgBouncer: Sendable {
    package let port: Int
    private let process: ChildProcess
    private let folder: TestFolder

    private init(port: Int, process: ChildProcess, folder: TestFolder) {
        self.port = port
        self.process = process
        self.folder = folder
    }

    package static var isInstalled: Bool { Program.find("pgbouncer") != nil }

    /// Gives `body` a PgBouncer that opens at most `connections` to each database, and ends it afterwards.
    package static func with<R>(
        _ server: PostgresAddress, connections: Int, _ body: (PgBouncer) async throws -> R
    ) async throws -> R {
        let bouncer = try await start(server, connections: connections)
        let outcome: Result<R, any Error>
        do { outcome = .success(try await body(bouncer)) } catch { outcome = .failure(error) }
        bouncer.process.send(SIGKILL)
        // Apart from the test's task, which may be cancelled by now.
        try await Task { [bouncer] in
            _ = try await bouncer.process.waitForExit()
            try await bouncer.folder.remove()
        }.value
        return try outcome.get()
    }

    private static func start(_ server: PostgresAddress, connections: Int) async throws -> PgBouncer {
        guard let program = Program.find("pgbouncer") else {
            throw DevStackError(.programMissing, "pgbouncer is missing. Install it: apt-get install pgbouncer")
        }
        // It refuses to run as root, as PostgreSQL does.
        let user = SystemUser.isRoot ? SystemUser(named: "postgres") : nil
        let folder = try await TestFolder.make()
        let port = try FreePort.find()
        try write(
            "\"\(server.user)\" \"\(server.password)\"\n", to: "\(folder.path)/users", owner: user)
        try write(
            """
            [databases]
            * = host=\(server.host) port=\(server.port)
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = scram-sha-256
            auth_file = \(folder.path)/users
            pool_mode = transaction
            default_pool_size = \(connections)
            max_client_conn = 1000

            """, to: "\(folder.path)/pgbouncer.ini", owner: user)
        let process = try await ChildProcess.start(
            Program(program, ["\(folder.path)/pgbouncer.ini"], workingDirectory: "/", as: user))
        guard try await process.waitForLine(where: { $0.contains("process up") }) != nil else {
            throw DevStackError(
                .serverFailed, "PgBouncer did not start: \(process.recentOutput.joined(separator: "\n"))")
        }
        return PgBouncer(port: port, process: process, folder: folder)
    }

    private static func write(_ text: String, to path: String, owner: SystemUser?) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        guard chmod(path, 0o600) == 0, owner.map({ chown(path, $0.userID, $0.groupID) == 0 }) ?? true else {
            throw DevStackError(.folderUnusable, "\(path) could not be given to PgBouncer's user.")
        }
    }
}
