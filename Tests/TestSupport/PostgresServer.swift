package import DevStack
import Foundation
import Synchronization

/// The PostgreSQL server that all tests of one process share.
///
/// It is a real server with fsync off, in a folder under /tmp. It ends with the test process: orderly at exit, by the
/// kernel's death signal when the process is killed.
package final class PostgresServer: Sendable {
    package let instance: PostgresInstance
    private let templates = Mutex<[String: Task<Void, any Error>]>([:])
    private let counter = Atomic<Int>(0)
    private let embedded: EmbeddedPostgres

    private init(_ embedded: EmbeddedPostgres) {
        self.embedded = embedded
        instance = embedded.primary
    }

    /// The superuser's address; its database `postgres` is nobody's to write to.
    package var address: PostgresAddress { instance.address }

    /// Started by the first who asks.
    package static func shared() async throws -> PostgresServer {
        try await theOne.value
    }

    private static let theOne = Task {
        let folder = try await TestFolder.make()
        let embedded = try await EmbeddedPostgres.start(
            EmbeddedPostgres.Configuration(
                directory: "\(folder.path)/postgres", durable: false, maximumConnections: 500,
                settings: ["autovacuum": "off", "shared_buffers": "64MB"], deathSignal: .quit))
        ExitCleanup.add {
            embedded.endBlocking()
            folder.removeBlocking()
        }
        return PostgresServer(embedded)
    }

    // MARK: Databases

    /// Gives `body` a fresh database, a copy of `template`, and drops it afterwards, whoever is still connected.
    package static func withDatabase<R>(
        _ template: DatabaseTemplate = .empty, _ body: (TestDatabase) async throws -> R
    ) async throws -> R {
        let database = try await shared().database(template)
        do {
            let result = try await body(database)
            try await database.drop()
            return result
        } catch {
            try? await database.drop()
            throw error
        }
    }

    /// A fresh database, a copy of `template`; the caller drops it, or it goes with the server.
    package static func database(_ template: DatabaseTemplate = .empty) async throws -> TestDatabase {
        try await shared().database(template)
    }

    package func database(_ template: DatabaseTemplate = .empty) async throws -> TestDatabase {
        let source = try await prepared(template)
        let name = "test_\(counter.add(1, ordering: .relaxed).newValue)"
        _ = try await instance.execute("CREATE DATABASE \(name) TEMPLATE \(source)")
        for right in template.rights(name) { _ = try await instance.execute(right) }
        return TestDatabase(address: address.database(name), server: self)
    }

    /// The name of the database to copy, which the first who asks makes and fills.
    private func prepared(_ template: DatabaseTemplate) async throws -> String {
        guard let prepare = template.prepare else { return "template0" }
        let name = "template_\(template.name)"
        let making = templates.withLock { templates in
            if let making = templates[name] { return making }
            // Unstructured, so that it does not die with the one test that came first.
            let making = Task {
                _ = try await instance.execute("CREATE DATABASE \(name) TEMPLATE template0")
                try await prepare(address.database(name))
                // Nobody may stay connected to what is copied.
                _ = try await instance.execute("ALTER DATABASE \(name) ALLOW_CONNECTIONS false")
            }
            templates[name] = making
            return making
        }
        try await making.value
        return name
    }

    // MARK: Servers of one's own

    /// Gives `body` a cluster of its own, for tests that stop, restart or kill a server, and removes it afterwards.
    package static func withDedicated<R>(
        replica: Bool = false, durable: Bool = false, settings: [String: String] = [:],
        _ body: (EmbeddedPostgres) async throws -> R
    ) async throws -> R {
        let folder = try await TestFolder.make()
        do {
            let embedded = try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(
                    directory: "\(folder.path)/postgres", withReplica: replica, durable: durable, settings: settings,
                    deathSignal: .quit))
            ExitCleanup.add { [weak embedded] in embedded?.endBlocking() }
            let outcome: Result<R, any Error>
            do { outcome = .success(try await body(embedded)) } catch { outcome = .failure(error) }
            // Apart from the test's task, which may be cancelled by now.
            try await Task { try await embedded.remove() }.value
            let result = try outcome.get()
            try await folder.remove()
            return result
        } catch {
            folder.removeBlocking()
            throw error
        }
    }
}

/// A database that tests get a copy of, made once for each server.
package struct DatabaseTemplate: Sendable {
    let name: String
    let prepare: (@Sendable (PostgresAddress) async throws -> Void)?
    /// The rights on the database itself, which a copy does not have from its template.
    var rights: @Sendable (_ database: String) -> [String] = { _ in [] }

    /// `prepare` fills the database it is handed and closes every connection it opened; `name` is a plain SQL word.
    package init(
        _ name: String, rights: @escaping @Sendable (_ database: String) -> [String] = { _ in [] },
        prepare: @escaping @Sendable (PostgresAddress) async throws -> Void
    ) {
        self.name = name
        self.rights = rights
        self.prepare = prepare
    }

    private init() {
        name = "empty"
        prepare = nil
    }

    package static let empty = DatabaseTemplate()
}

/// A database of one test.
package struct TestDatabase: Sendable {
    /// As the superuser.
    package let address: PostgresAddress
    package let server: PostgresServer

    package var name: String { address.database }
    package var url: String { address.url }

    /// Runs SQL through `psql` as the superuser and hands back the rows as text, columns parted by `|`.
    package func execute(_ sql: String) async throws -> String {
        try await server.instance.execute(sql, database: name)
    }

    package func drop() async throws {
        // Apart from the test's task, which may be cancelled by now.
        _ = try await Task { try await server.instance.execute("DROP DATABASE IF EXISTS \(name) WITH (FORCE)") }.value
    }
}
