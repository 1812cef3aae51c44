import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import Tenancy

/// What must be true before anything is served: the database holds its fences, the topics are there.
struct Preparation {
    let configuration: ServerConfiguration
    let pool: PostgresPool
    let admin: KafkaAdmin
    let modules: Modules
    let logger: Logger

    func run() async throws {
        let files = try MigrationFiles(directory: configuration.schemas.appending(path: "sql"))
        let findings = try await reaching("PostgreSQL as \(configuration.database)", "ATRIUM_DATABASE_URL") {
            // The pool's own service is not running yet; connections open as they are asked for all the same.
            try await DatabaseGuard(pool: pool, files: files).findings()
        }
        guard findings.isEmpty else { throw UnsafeDatabase(findings: findings) }
        try await reaching("Kafka at \(configuration.kafka)", "ATRIUM_KAFKA_BOOTSTRAP_SERVERS") {
            try await admin.ensureTopics(
                modules.topics.map {
                    TopicSpec($0, partitions: configuration.topicPartitions, replicas: configuration.topicReplication)
                })
        }
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
