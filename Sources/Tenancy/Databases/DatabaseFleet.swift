package import Logging
package import Postgres
import ServiceLifecycle
import Synchronization

/// A PostgreSQL server that databases can live on, and who may log in to it for what.
package struct ServerSettings: Sendable {
    package let name: String
    /// The login that serves requests; its database stands for the server where none is named.
    package var primary: ConnectionSettings
    package var replicas: [ConnectionSettings]
    /// The login that makes tenants' schemas and databases; `nil` where this process may not.
    package var provisioner: ConnectionSettings?

    package init(
        name: String, primary: ConnectionSettings, replicas: [ConnectionSettings] = [],
        provisioner: ConnectionSettings? = nil
    ) {
        self.name = name
        self.primary = primary
        self.replicas = replicas
        self.provisioner = provisioner
    }
}

/// Every database that this process works with; its pools come and go as they are needed.
package final class DatabaseFleet: Service {
    package let control: DatabaseID
    private let servers: [String: Server]
    private let template: PoolConfiguration
    private let budget: ConnectionBudget?
    private let logger: Logger
    private let databases = Mutex<[DatabaseID: Database]>([:])
    private let pools: AsyncStream<PostgresPool>
    private let started: AsyncStream<PostgresPool>.Continuation

    /// - Parameters:
    ///   - control: where the control plane is: the database that the first server's settings name.
    ///   - template: how each pool is made, but for its name.
    ///   - budget: how many connections all pools may have open together.
    package init(
        servers: [ServerSettings], pools template: PoolConfiguration = PoolConfiguration(),
        budget: ConnectionBudget? = nil, logger: Logger
    ) {
        precondition(!servers.isEmpty, "a fleet has a server")
        control = DatabaseID(server: servers[0].name, name: servers[0].primary.database)
        self.servers = Dictionary(uniqueKeysWithValues: servers.map { ($0.name, Server($0)) })
        self.template = template
        self.budget = budget
        self.logger = logger
        (pools, started) = AsyncStream.makeStream()
    }

    package var serverNames: [String] { servers.keys.sorted() }

    package func settings(of server: String) throws -> ServerSettings {
        guard let found = servers[server] else { throw UnknownServer(name: server) }
        return found.settings
    }

    /// The database, with pools that open connections once somebody asks for one.
    package func database(_ id: DatabaseID) throws -> Database {
        if let known = databases.withLock({ $0[id] }) { return known }
        guard let server = servers[id.server] else { throw UnknownServer(name: id.server) }
        return databases.withLock { databases in
            if let known = databases[id] { return known }
            let database = Database(id, on: server) { settings, role in
                var settings = settings
                settings.database = id.name
                var configuration = self.template
                configuration.name = role == .primary ? id.description : "\(id) \(role)"
                let pool = PostgresPool(settings, configuration, budget: self.budget, logger: self.logger)
                self.started.yield(pool)
                return pool
            }
            databases[id] = database
            return database
        }
    }

    /// Every database that was asked for so far.
    package var opened: [Database] { databases.withLock { Array($0.values) } }

    /// Forgets a database that is to be dropped or was, and closes its connections.
    package func forget(_ id: DatabaseID) {
        guard let database = databases.withLock({ $0.removeValue(forKey: id) }) else { return }
        for pool in [database.primary] + database.replicas.map(\.pool) { pool.close() }
    }

    /// Looks after the pools until the service is shut down, then waits for connections that are lent.
    package func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await withThrowingDiscardingTaskGroup { group in
                for await pool in self.pools {
                    group.addTask { try await pool.run() }
                }
            }
        }
    }

    var replicated: [Server] { servers.values.filter { !$0.replicas.isEmpty } }
}

/// The configuration has no server of that name.
package struct UnknownServer: Error, Hashable, CustomStringConvertible {
    package let name: String

    package var description: String {
        "server \(name) is not configured in this process; name it in ATRIUM_SERVERS and give its URL"
    }
}

/// A server as the process knows it at the moment.
final class Server: Sendable {
    let settings: ServerSettings
    let replicas: [Replica]

    init(_ settings: ServerSettings) {
        self.settings = settings
        replicas = settings.replicas.enumerated().map {
            Replica(number: $0.offset + 1, server: settings.name, settings: $0.element)
        }
    }
}

/// One database with its pools.
package final class Database: Sendable {
    package let id: DatabaseID
    package let primary: PostgresPool
    /// The pool of each replica, beside what is known of it.
    let replicas: [(pool: PostgresPool, replica: Replica)]
    private let turns = Atomic<UInt>(0)

    enum Role: Equatable, CustomStringConvertible {
        case primary
        case replica(Int)

        var description: String {
            switch self {
            case .primary: "primary"
            case .replica(let number): "replica \(number)"
            }
        }
    }

    init(_ id: DatabaseID, on server: Server, pool: (ConnectionSettings, Role) -> PostgresPool) {
        self.id = id
        primary = pool(server.settings.primary, .primary)
        replicas = server.replicas.map { (pool($0.settings, .replica($0.number)), $0) }
    }

    /// The replica that may serve a read, if there is one: those that may take turns.
    func replica(for need: ReadNeed) -> (pool: PostgresPool, replica: Replica)? {
        guard !replicas.isEmpty else { return nil }
        let usable: [(pool: PostgresPool, replica: Replica)]
        switch need {
        case .latest: return nil
        case .any: usable = replicas.filter { $0.replica.keepsUp }
        case .atLeast(let token):
            guard token.server == id.server else { return nil }
            usable = replicas.filter { $0.replica.has(reached: token.position) }
        }
        guard !usable.isEmpty else { return nil }
        return usable[Int(turns.wrappingAdd(1, ordering: .relaxed).newValue % UInt(usable.count))]
    }
}
