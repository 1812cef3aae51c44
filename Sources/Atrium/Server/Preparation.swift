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
        // The pool's own service is not running yet; connections open as they are asked for all the same.
        let findings = try await DatabaseGuard(pool: pool, files: files).findings()
        guard findings.isEmpty else { throw UnsafeDatabase(findings: findings) }
        try await admin.ensureTopics(
            modules.topics.map {
                TopicSpec($0, partitions: configuration.topicPartitions, replicas: configuration.topicReplication)
            })
    }
}

/// The database does not hold the fences that keep tenants apart: nothing is served.
struct UnsafeDatabase: Error, CustomStringConvertible {
    let findings: [String]

    var description: String {
        "refusing to serve from this database:\n" + findings.map { "  - \($0)" }.joined(separator: "\n")
    }
}
