import Foundation

/// A PostgreSQL cluster of Atrium's own: a primary and, where asked for, one streaming replica.
package final class EmbeddedPostgres: Sendable {
    package struct Configuration: Sendable {
        package var directory: String
        package var withReplica: Bool
        /// Nil takes the port of the last run, or a free one.
        package var port: Int?
        package var replicaPort: Int?
        /// Off for tests alone: a crash of the machine may then spoil the data.
        package var durable: Bool
        package var maximumConnections: Int
        /// Further settings of postgresql.conf, for both servers.
        package var settings: [String: String]
        /// What the servers are sent when Atrium is killed: `interrupt` lets them finish, `quit` ends them at once.
        package var deathSignal: Program.DeathSignal
        package var minimumFreeBytes: UInt64
        package var steps: StepPrinter

        package init(
            directory: String, withReplica: Bool = false, port: Int? = nil, replicaPort: Int? = nil,
            durable: Bool = true, maximumConnections: Int = 200, settings: [String: String] = [:],
            deathSignal: Program.DeathSignal = .interrupt, minimumFreeBytes: UInt64 = 256 << 20,
            steps: StepPrinter = .silent
        ) {
            self.directory = directory
            self.withReplica = withReplica
            self.port = port
            self.replicaPort = replicaPort
            self.durable = durable
            self.maximumConnections = maximumConnections
            self.settings = settings
            self.deathSignal = deathSignal
            self.minimumFreeBytes = minimumFreeBytes
            self.steps = steps
        }
    }

    package let primary: PostgresInstance
    package let replica: PostgresInstance?
    package let majorVersion: Int
    /// As it was asked for, which may be a link to where the data really is.
    private let directory: String
    private let lock: FileLock

    private init(
        primary: PostgresInstance, replica: PostgresInstance?, majorVersion: Int, directory: String, lock: FileLock
    ) {
        self.primary = primary
        self.replica = replica
        self.majorVersion = majorVersion
        self.directory = directory
        self.lock = lock
    }

    /// Starts the cluster, makes it first where there is none, and heals what a killed run left.
    package static func start(_ configuration: Configuration) async throws -> EmbeddedPostgres {
        let user = try SystemUser.forDatabase()
        let directory = try await DataFolder.prepare(configuration.directory, for: user)
        try DataFolder.checkSpace(directory, minimum: configuration.minimumFreeBytes)
        let lock = try takeLock(directory)
        let maker = try await ClusterMaker(configuration, directory: directory, user: user)
        try await maker.makePrimary()
        let primary = try await maker.startPrimary()
        do {
            let replica = configuration.withReplica ? try await maker.startReplica(of: primary) : nil
            return EmbeddedPostgres(
                primary: primary, replica: replica, majorVersion: maker.binaries.majorVersion,
                directory: configuration.directory, lock: lock)
        } catch {
            try? await primary.stop()
            throw error
        }
    }

    package var isRunning: Bool { primary.isRunning && replica?.isRunning != false }

    /// The replica goes first, so that the primary need not wait for it.
    package func stop(_ mode: PostgresInstance.StopMode = .fast) async throws {
        try await replica?.stop(mode)
        try await primary.stop(mode)
    }

    /// For exit handlers, which cannot await: ends both servers at once and blocks until they are gone.
    package func endBlocking() {
        replica?.endBlocking()
        primary.endBlocking()
    }

    /// Ends both servers at once and removes all their data.
    package func remove() async throws {
        try await stop(.immediate)
        try Self.removeFolder(directory)
    }

    /// Ends whatever a killed run left running in the folder of a cluster and removes the folder.
    package static func remove(_ directory: String) async throws {
        guard let place = DataFolder.existing(directory) else { return }
        if access(place, F_OK) == 0 {
            let lock = try takeLock(place)
            for name in ["replica", "primary"] {
                _ = try await ServerRemains.end(in: ClusterFolder(path: "\(place)/\(name)").data)
            }
            withExtendedLifetime(lock) {}
        }
        try removeFolder(directory)
    }

    private static func removeFolder(_ directory: String) throws {
        guard let place = DataFolder.existing(directory) else { return }
        try removeTree(place)
        guard place != directory else { return }
        unlink(directory)
        // Goes only when it was the last one's.
        rmdir(DataFolder.refuge)
    }

    private static func takeLock(_ directory: String) throws -> FileLock {
        switch try FileLock.take("\(directory)/lock") {
        case .taken(let lock): return lock
        case .heldBy(let process):
            throw DevStackError(
                .folderInUse,
                """
                The cluster in \(directory) is run by another Atrium (\(process.map { "process \($0)" } ?? "unknown")). \
                Stop that one, or use another folder.
                """)
        }
    }
}
