import Foundation

/// Makes and starts the servers of one embedded cluster.
struct ClusterMaker: Sendable {
    let binaries: PostgresBinaries
    private let configuration: EmbeddedPostgres.Configuration
    private let user: SystemUser?
    private let primaryFolder: ClusterFolder
    private let replicaFolder: ClusterFolder
    private let passwordFile: String
    private let password: String
    private let passFile: String
    private static let superuser = "postgres"
    private static let slot = "atrium_replica"

    init(_ configuration: EmbeddedPostgres.Configuration, directory: String, user: SystemUser?) async throws {
        self.configuration = configuration
        self.user = user
        primaryFolder = ClusterFolder(path: "\(directory)/primary")
        replicaFolder = ClusterFolder(path: "\(directory)/replica")
        binaries = try await PostgresBinaries.find(version: primaryFolder.completeVersion)
        passwordFile = "\(directory)/password"
        if primaryFolder.completeVersion != nil, readFile(passwordFile) == nil {
            throw DevStackError(
                .folderUnusable,
                "\(passwordFile) is gone, and nobody can log in without it. Put it back, or run `atrium dev --reset`.")
        }
        password = try keptSecret(at: passwordFile, owner: user)
        passFile = "\(directory)/pgpass"
        try writeFile("*:*:*:*:\(password)\n", to: passFile, mode: 0o600, owner: user)
    }

    // MARK: Primary

    func makePrimary() async throws {
        guard primaryFolder.completeVersion == nil else { return }
        if primaryFolder.exists {
            configuration.steps.note("The making of \(primaryFolder.path) was cut short; making it anew")
            try await clear(primaryFolder)
        }
        try await clear(replicaFolder)
        try await configuration.steps.step("Making a PostgreSQL \(binaries.majorVersion) cluster") {
            try makeFolder(primaryFolder.path, mode: 0o700, owner: user)
            let sync = configuration.durable ? [] : ["--no-sync"]
            try await runTool(
                "initdb",
                [
                    "-D", primaryFolder.data, "-U", Self.superuser, "--pwfile", passwordFile, "-A", "scram-sha-256",
                    "-E", "UTF8", "--locale=C", "--lc-ctype=C.UTF-8", "--data-checksums",
                ] + sync)
            try primaryFolder.markComplete(version: binaries.majorVersion, owner: user)
        }
    }

    func startPrimary() async throws -> PostgresInstance {
        try await configuration.steps.step("Starting PostgreSQL \(binaries.majorVersion)") {
            try await start(primaryFolder, fixedPort: configuration.port, primary: nil)
        }
    }

    // MARK: Replica

    /// A replica is only a copy: whenever it does not come up or does not stream, it is made again, once.
    func startReplica(of primary: PostgresInstance) async throws -> PostgresInstance {
        if replicaFolder.completeVersion == binaries.majorVersion {
            do {
                return try await configuration.steps.step("Starting the replica") { try await stream(from: primary) }
            } catch let error as DevStackError where error.code == .serverFailed || error.code == .tooLate {
                configuration.steps.note("The replica could not go on from where it was; copying it anew")
            }
        }
        return try await configuration.steps.step("Copying and starting the replica") {
            try await copyReplica(of: primary)
            return try await stream(from: primary)
        }
    }

    private func copyReplica(of primary: PostgresInstance) async throws {
        try await clear(replicaFolder)
        _ = try await primary.execute(
            """
            SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots
            WHERE slot_name = '\(Self.slot)' AND active;
            SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '\(Self.slot)';
            """)
        try makeFolder(replicaFolder.path, mode: 0o700, owner: user)
        let sync = configuration.durable ? [] : ["--no-sync"]
        try await runTool(
            "pg_basebackup",
            [
                "-D", replicaFolder.data, "-d", primaryConnection(primary), "-X", "stream", "-C", "-S", Self.slot,
                "--checkpoint=fast",
            ] + sync)
        try writeFile("", to: "\(replicaFolder.data)/standby.signal", mode: 0o600, owner: user)
        try replicaFolder.markComplete(version: binaries.majorVersion, owner: user)
    }

    private func stream(from primary: PostgresInstance) async throws -> PostgresInstance {
        let replica = try await start(
            replicaFolder, fixedPort: configuration.replicaPort, primary: (primaryConnection(primary), Self.slot))
        do {
            let late = DevStackError(.tooLate, "The replica does not follow the primary. Its log: \(replica.logPath)")
            let line = try await withDeadline(.seconds(30), late: late) {
                try await replica.waitForLogLine { $0.contains("started streaming WAL") || $0.contains("FATAL:") }
            }
            guard let line, !line.contains("FATAL:") else {
                throw DevStackError(
                    .serverFailed,
                    "The replica cannot follow the primary: \(line ?? "it ended"). See \(replica.logPath)")
            }
            return replica
        } catch {
            try await replica.stop(.immediate)
            throw error
        }
    }

    private func primaryConnection(_ primary: PostgresInstance) -> String {
        let address = primary.address
        let host = (address.socketDirectory ?? address.host).replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        let file = passFile.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return "host='\(host)' port=\(address.port) user=\(Self.superuser) passfile='\(file)' application_name=replica"
    }

    // MARK: Both

    /// A port that was merely remembered or found free may be taken by now, and is then replaced; a port that was asked
    /// for is not.
    private func start(
        _ folder: ClusterFolder, fixedPort: Int?, primary: (connection: String, slot: String)?
    ) async throws -> PostgresInstance {
        // First, so that the port such a server holds counts as free again.
        _ = try await ServerRemains.end(in: folder.data)
        var attempts = 5
        while true {
            attempts -= 1
            let remembered = folder.lastPort.flatMap { FreePort.isFree($0) ? $0 : nil }
            let port = try fixedPort ?? remembered ?? FreePort.find()
            let instance = PostgresInstance(
                folder,
                address: PostgresAddress(
                    port: port, user: Self.superuser, password: password, database: "postgres",
                    socketDirectory: folder.sockets),
                binaries: binaries, as: user,
                settings: PostgresSettings(
                    durable: configuration.durable, maximumConnections: configuration.maximumConnections,
                    extra: configuration.settings, primary: primary),
                deathSignal: configuration.deathSignal)
            do {
                try await instance.start()
                try folder.remember(port: port, owner: user)
                return instance
            } catch let error as DevStackError where error.code == .portTaken && fixedPort == nil && attempts > 0 {
                continue
            }
        }
    }

    private func clear(_ folder: ClusterFolder) async throws {
        _ = try await ServerRemains.end(in: folder.data)
        try removeTree(folder.path)
    }

    private func runTool(_ name: String, _ arguments: [String]) async throws {
        let answer = try await ChildProcess.run(
            Program(binaries.program(name), arguments, workingDirectory: "/", as: user), within: .seconds(300))
        guard answer.status.isSuccess else {
            let words = answer.errors + answer.output
            if words.contains("No space left on device") {
                throw DevStackError(
                    .diskFull,
                    "\(name) could not finish: the disk of \(primaryFolder.path) is full. Free space and start again.")
            }
            throw DevStackError(.programFailed, "\(name) failed (\(answer.status)): \(words.suffix(2000))")
        }
    }
}
