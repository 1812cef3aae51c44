import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import Tenancy

/// What must be true before anything is served: the database holds its fences, the topics are there.
struct Preparation {
    let configuration: ServerConfiguration
    let data: DataServices
    let replicas: ReplicaWatch
    let admin: KafkaAdmin
    let modules: Modules
    let logger: Logger

    func run() async throws {
        // The fleet's own service is not running yet; connections open as they are asked for all the same.
        var findings = try await reaching("PostgreSQL as \(configuration.database)", "ATRIUM_DATABASE_URL") {
            try await self.findings(in: data.fleet.control)
        }
        if findings.isEmpty {
            for database in try await data.directory.databases where database != data.fleet.control {
                // One tenant's database that is away keeps that tenant waiting, and nobody else.
                do {
                    findings += try await self.findings(in: database).map { "\(database): \($0)" }
                } catch {
                    logger.error(
                        "a database can't be checked", metadata: ["database": "\(database)", "error": "\(error)"])
                }
            }
            findings += await replicas.findings()
        }
        guard findings.isEmpty else { throw UnsafeDatabase(findings: findings) }
        try await reaching("Kafka at \(configuration.kafka)", "ATRIUM_KAFKA_BOOTSTRAP_SERVERS") {
            try await admin.ensureTopics(
                modules.topics.map {
                    TopicSpec($0, partitions: configuration.topicPartitions, replicas: configuration.topicReplication)
                })
        }
    }

    private func findings(in database: DatabaseID) async throws -> [String] {
        try await DatabaseGuard(
            pool: data.fleet.database(database).primary, files: data.files, contextKey: data.contextKey,
            isControl: database == data.fleet.control
        ).findings()
    }

    /// Servers that are started together come up in any order: what is away is waited for, for a while.
    private func reaching<Result>(
        _ what: String, _ setting: String, _ body: () async throws -> Result
    ) async throws -> Result {
        let end = ContinuousClock.now + patience
        while true {
            do {
                return try await body()
            } catch {
                let mayPass = (error as? PostgresError)?.isRetriable ?? (error as? KafkaError)?.isRetriable ?? false
                guard mayPass, ContinuousClock.now < end else {
                    throw Unreachable(what: what, setting: setting, reason: "\(error)")
                }
                logger.warning("waiting for \(what)", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    private var patience: Duration { .seconds(15) }
}

/// A server that Atrium can't do without did not answer at its start.
struct Unreachable: Error, CustomStringConvertible {
    let what: String
    let setting: String
    let reason: String

    var description: String {
        "can't start with \(what): \(reason)\nMend it, or correct \(setting)."
    }
}

/// The database does not hold the fences that keep tenants apart: nothing is served.
struct UnsafeDatabase: Error, CustomStringConvertible {
    let findings: [String]

    var description: String {
        "refusing to serve from this database:\n" + findings.map { "  - \($0)" }.joined(separator: "\n")
    }
}
