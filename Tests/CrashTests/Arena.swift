import DevStack
import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import Synchronization
import TestSupport

/// What one case has to itself: a database, a broker, processes of Atrium, and a load.
final class Arena: Sendable {
    let database: PostgresAddress
    let faults: Faults
    let load: Load
    private let broker: EmbeddedBroker
    private let stations = Mutex<[Station]>([])
    /// The door for requests, which outlives whoever answers there.
    private let httpPort: Int

    private static let operatorKey = "operator-key-of-the-tests-0123456789"

    private init(_ database: PostgresAddress, _ server: EmbeddedPostgres?, _ needs: Needs, disarmed: Bool) throws {
        self.database = database
        broker = try EmbeddedBroker(topics: TopicReader.topics.map { TopicSpec($0) }, logger: .silent)
        faults = Faults(isDisarmed: disarmed, broker: broker, database: database, server: server)
        httpPort = try FreePort.find()
        load = Load(
            asOperator: HTTP("http://127.0.0.1:\(httpPort)").authorized(Self.operatorKey), tiers: needs.tiers)
    }

    struct Needs: Sendable {
        var tiers: [Tier] = [.pool, .pool, .bridge]
        /// A PostgreSQL server of its own, for cases that end it.
        var ownServer = false
    }

    static func with<R>(_ needs: Needs, disarmed: Bool, _ body: (Arena) async throws -> R) async throws -> R {
        if needs.ownServer {
            return try await PostgresServer.withDedicated(durable: true) { server in
                try await DatabaseTemplate.migrate(server.primary.address)
                return try await with(
                    Arena(server.primary.address, server, needs, disarmed: disarmed), body)
            }
        }
        return try await PostgresServer.withDatabase(.migrated) { database in
            try await with(Arena(database.address, nil, needs, disarmed: disarmed), body)
        }
    }

    private static func with<R>(_ arena: Arena, _ body: (Arena) async throws -> R) async throws -> R {
        let result: Result<R, any Error>
        do { result = .success(try await body(arena)) } catch { result = .failure(error) }
        // Apart from the test's task, which may be cancelled by now.
        try await Task { try await arena.close() }.value
        return try result.get()
    }

    private func close() async throws {
        for station in stations.withLock({ $0 }) {
            station.process?.send(SIGCONT)
            try await station.kill()
        }
        await broker.close()
        let silos = try await PostgresConnection.execute(
            "SELECT p.database FROM control.placements p WHERE p.tier = 'silo'", at: database)
        for silo in try silos.map({ try $0.decode(String.self) }) {
            try await PostgresConnection.execute(
                "DROP DATABASE IF EXISTS \(identifier: silo) WITH (FORCE)", at: database)
        }
    }

    /// A place for a process with these roles; the one that serves HTTP is where the load asks.
    func station(_ roles: String) throws -> Station {
        let port = roles.contains("http") ? httpPort : try FreePort.find()
        let station = try Station(roles: roles, port: port, environment: environment, faults: faults)
        stations.withLock { $0.append(station) }
        return station
    }

    /// What the processes printed last.
    var transcripts: String {
        stations.withLock { $0 }.compactMap(\.process?.transcript).joined(separator: "\n")
    }

    private var environment: [String: String] {
        [
            "ATRIUM_DATABASE_URL": database.user("atrium_app", password: "atrium").url,
            "ATRIUM_PROVISIONER_DATABASE_URL": database.user("atrium_provisioner", password: "atrium").url,
            "ATRIUM_DATABASE_POOL_MAXIMUM": "8",
            "ATRIUM_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrapServers, "ATRIUM_KAFKA_TOPIC_PARTITIONS": "4",
            // The embedded broker does not check the order of requests, which is what makes more than one at a time safe.
            "ATRIUM_KAFKA_REQUESTS_IN_FLIGHT": "1",
            "ATRIUM_OPERATOR_KEY": Self.operatorKey, "ATRIUM_SECRET": "a secret that is long enough for the tests",
            "ATRIUM_LOG_FORMAT": "json", "ATRIUM_CANARY_INTERVAL": "0",
            "ATRIUM_SCHEMAS": Places.packageRoot.appending(path: "schemas").path(),
        ]
    }

    /// Runs a command of Atrium's and hands back what it printed.
    func command(_ arguments: String...) async throws -> String {
        let output = try await ChildProcess.run(
            Program(
                Places.products.appending(path: "atrium").path(), arguments,
                environment: Program.plainEnvironment.merging(environment) { $1 }))
        guard output.status.isSuccess else {
            throw DevStackError(.programFailed, "atrium \(arguments.joined(separator: " ")): \(output.errors)")
        }
        return output.output
    }

    // MARK: The end

    /// Waits until the ledger agrees with topics and tenants, or long enough; answers what it finds then.
    ///
    /// Once all is there it looks again after a while: what comes twice may come late.
    /// With a finding awaited, it looks until there is one of that kind.
    func settle(
        within limit: Duration = .seconds(60), awaiting finding: Finding.Kind? = nil
    ) async throws -> (audit: Audit, records: [Sighting]) {
        let clock = ContinuousClock()
        let end = clock.now + limit
        var isClean = false
        while true {
            let ledger = load.ledger
            let effects = try await load.effects()
            if finding == nil, Audit(ledger, effects).mayHeal, clock.now < end {
                isClean = false
                try await clock.sleep(for: .milliseconds(250))
                continue
            }
            let records = try await TopicReader(bootstrapServers: broker.bootstrapServers).records()
            let audit = Audit(ledger, records, effects)
            // What is only late is missing too, so that something is lost shows at the end alone.
            let isOver =
                finding.map { kind in !kind.mayHeal && audit.findings.contains { $0.kind == kind } }
                ?? (isClean || !(audit.findings.isEmpty || audit.mayHeal))
            if isOver || clock.now >= end { return (audit, records) }
            isClean = audit.findings.isEmpty
            try await clock.sleep(for: .seconds(1))
        }
    }
}
