package import Logging
import Metrics
import Postgres
import ServiceLifecycle

/// Looks after the replicas of every server: passes over those that are down, behind or promoted, and takes them back.
package struct ReplicaWatch: Service {
    private let fleet: DatabaseFleet
    private let interval: Duration
    private let logger: Logger

    package init(_ fleet: DatabaseFleet, interval: Duration = .milliseconds(250), logger: Logger) {
        self.fleet = fleet
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        guard !fleet.replicated.isEmpty else { return try await gracefulShutdown() }
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                for server in fleet.replicated {
                    group.addTask { await watch(server) }
                }
            }
        }
    }

    /// Whether each replica is one, for the start: an empty answer means yes. One that is away is no fault.
    package func findings() async -> [String] {
        var findings: [String] = []
        for server in fleet.replicated {
            var probe = Probe(server, logger: logger)
            await probe.look()
            for replica in server.replicas {
                switch replica.current {
                case .foreign:
                    findings.append(
                        "replica \(replica.settings) belongs to another cluster than server \(server.settings.name); "
                            + "correct its URL")
                case .promoted:
                    findings.append(
                        "replica \(replica.settings) of server \(server.settings.name) is no replica: it takes writes; "
                            + "correct its URL, or make it a replica again")
                case .unseen, .following, .away: break
                }
            }
            probe.close()
        }
        return findings
    }

    private func watch(_ server: Server) async {
        var probe = Probe(server, logger: logger)
        while !Task.isCancelled {
            await probe.look()
            for replica in server.replicas { probe.report(replica) }
            try? await Task.sleep(for: interval)
        }
        probe.close()
    }
}

/// Asks a server and its replicas where they are, over one connection to each.
private struct Probe {
    private let server: Server
    private let logger: Logger
    private let primary: PostgresPool
    private let pools: [PostgresPool]
    private var history = PrimaryHistory()
    private var cluster: Int64?
    private static let patience = Duration.seconds(1)

    init(_ server: Server, logger: Logger) {
        self.server = server
        self.logger = logger
        func pool(_ settings: ConnectionSettings, _ name: String) -> PostgresPool {
            var configuration = PoolConfiguration(name: "watch \(name)", maximum: 1)
            configuration.acquisitionTimeout = Self.patience
            return PostgresPool(settings, configuration, logger: logger)
        }
        primary = pool(server.settings.primary, server.settings.name)
        pools = server.replicas.map { replica in
            var settings = replica.settings
            settings.database = server.settings.primary.database
            return pool(settings, "\(server.settings.name) replica \(replica.number)")
        }
    }

    func close() {
        for pool in [primary] + pools { pool.close() }
    }

    mutating func look() async {
        if let (position, cluster, isReplica) = try? await ask(primary), !isReplica {
            history.add(position, at: .now)
            self.cluster = cluster
        }
        for (replica, pool) in zip(server.replicas, pools) {
            let next: Replica.State
            do {
                let (position, cluster, isReplica) = try await ask(pool)
                if let known = self.cluster, cluster != known {
                    next = .foreign
                } else if !isReplica {
                    next = .promoted
                } else {
                    next = .following(position: position, lag: history.lag(of: position, at: .now))
                }
            } catch {
                next = .away(reason: "\(error)")
            }
            tell(of: replica, replica.become(next), next)
        }
    }

    private func ask(_ pool: PostgresPool) async throws -> (position: UInt64, cluster: Int64, isReplica: Bool) {
        let until = ContinuousClock.now + Self.patience
        let rows = try await pool.withConnection(deadline: until) { connection in
            try await connection.flight([Statement(Self.question)], deadline: until)[0]
        }
        let (text, cluster, isReplica) = try rows[0].decode((String?, Int64, Bool).self)
        // A replica that has not replayed anything yet has no position.
        return (text.flatMap { ConsistencyToken.position($0) } ?? 0, cluster, isReplica)
    }

    private static let question: SQL = """
        SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)::text,
            (SELECT system_identifier FROM pg_control_system()), pg_is_in_recovery()
        """

    private func tell(of replica: Replica, _ before: Replica.State, _ now: Replica.State) {
        var logger = logger
        logger[metadataKey: "server"] = "\(server.settings.name)"
        logger[metadataKey: "replica"] = "\(replica.settings)"
        switch (before, now) {
        case (.following, .following), (.away, .away), (.promoted, .promoted), (.foreign, .foreign): break
        case (_, .unseen): break
        case (_, .following): logger.info("replica serves reads")
        case (_, .away(let reason)): logger.warning("replica is passed over", metadata: ["reason": "\(reason)"])
        case (_, .promoted): logger.warning("replica is passed over: it has been promoted and takes writes")
        case (_, .foreign): logger.error("replica is passed over: it belongs to another cluster")
        }
    }

    func report(_ replica: Replica) {
        let labels = [("server", server.settings.name), ("replica", String(replica.number))]
        var lag = -1.0
        if case .following(_, let duration) = replica.current { lag = duration / .seconds(1) }
        Gauge(label: "atrium_replica_lag_seconds", dimensions: labels).record(lag)
        Gauge(label: "atrium_replica_serves", dimensions: labels).record(replica.keepsUp ? 1 : 0)
    }
}
