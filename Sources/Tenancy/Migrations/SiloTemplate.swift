import Crypto
import Foundation
package import Logging
package import Postgres

/// The database that silos are copies of, one on each server: migrated, closed to everyone, and made anew whenever the
/// files or the secret change.
package struct SiloTemplate: Sendable {
    /// Its database, one on each server.
    package let name: String
    private let files: MigrationFiles
    private let contextKey: ContextKey
    private let patience: Duration
    private let logger: Logger

    /// - Parameter patience: how long what is in use is tried again; the server itself waits 5 s in each try.
    package init(
        _ files: MigrationFiles, contextKey: ContextKey, name: String = "atrium_template",
        patience: Duration = .seconds(12), logger: Logger
    ) {
        precondition(isPlainIdentifier(name), "a database is named by lower-case letters, digits and underscores")
        self.files = files
        self.contextKey = contextKey
        self.name = name
        self.patience = patience
        self.logger = logger
    }

    /// What the template was made of; kept as the comment on its database.
    package var fingerprint: String {
        let parts =
            [files.roles, contextKey.stored.id]
            + files.files.filter { $0.scope != MigrationFiles.control }.map { "\($0.path) \($0.checksum)" }
        return "atrium " + SHA256.hash(data: Data(parts.joined(separator: "\n").utf8)).hex
    }

    // MARK: The template

    /// Makes the template, or makes it anew where it is not of these files and this secret; answers whether it did.
    ///
    /// The old one can be copied until the new one is ready to take its place.
    ///
    /// - Parameter administrator: a superuser's login to any database of the server, always the same one.
    @discardableResult
    package func ensure(administrator: ConnectionSettings) async throws -> Bool {
        try await reaching(administrator) { connection in
            // Held by the session, and for this database: hence always the same one.
            _ = try await connection.run(["SELECT pg_advisory_lock(hashtext(\(name)))"])
            guard try await state(connection) != .ready else { return false }
            let making = "\(name)_new"
            _ = try await connection.run(["DROP DATABASE IF EXISTS \(identifier: making) WITH (FORCE)"])
            _ = try await connection.run(["CREATE DATABASE \(identifier: making) TEMPLATE template0"])
            var inside = administrator
            inside.database = making
            try await Migrator(files, administrator: inside, contextKey: contextKey, logger: logger).run(control: false)
            _ = try await connection.run([
                "ALTER DATABASE \(identifier: making) OWNER TO atrium_owner",
                // Text of digits and letters; a comment takes no parameter.
                "COMMENT ON DATABASE \(identifier: making) IS '\(unsafeSQL: fingerprint)'",
                "ALTER DATABASE \(identifier: making) ALLOW_CONNECTIONS false",
            ])
            try await replace(with: making, connection)
            logger.info("the template of silos was made", metadata: ["server": "\(administrator.host)"])
            return true
        }
    }

    /// Hands `body` the way to a copy that lasts no longer than the call, to see what the files make.
    func withCopy<Result>(
        administrator: ConnectionSettings, _ body: (ConnectionSettings) async throws -> Result
    ) async throws -> Result {
        try await reaching(administrator) { connection in
            switch try await state(connection) {
            case .ready: break
            case .missing: throw SiloError.templateMissing(name, server: administrator.host)
            case .outdated: throw SiloError.templateOutdated(name, server: administrator.host)
            }
            var inside = administrator
            inside.database = "\(name)_copy_\(String(UInt64.random(in: .min ... .max), radix: 36))"
            let copy = inside.database
            try await again(while: "55006") {
                _ = try await connection.run([
                    "CREATE DATABASE \(identifier: copy) TEMPLATE \(identifier: name)"
                ])
            }
            do {
                let result = try await body(inside)
                _ = try await connection.run(["DROP DATABASE \(identifier: copy) WITH (FORCE)"])
                return result
            } catch {
                _ = try? await connection.run(["DROP DATABASE \(identifier: copy) WITH (FORCE)"])
                throw error
            }
        }
    }

    private func replace(with making: String, _ connection: PostgresConnection) async throws {
        let old = try await connection.run(["SELECT 1 FROM pg_database WHERE datname = \(name)"])[0]
        if !old.isEmpty {
            _ = try await connection.run([
                "ALTER DATABASE \(identifier: name) IS_TEMPLATE false",
                "ALTER DATABASE \(identifier: name) ALLOW_CONNECTIONS false",
            ])
            try await again(while: "55006") {
                _ = try await connection.run(["DROP DATABASE \(identifier: name) WITH (FORCE)"])
            }
        }
        _ = try await connection.run([
            "ALTER DATABASE \(identifier: making) RENAME TO \(identifier: name)"
        ])
        // Last of all: what is marked as a template is whole.
        _ = try await connection.run(["ALTER DATABASE \(identifier: name) IS_TEMPLATE true"])
    }

    private enum State {
        case missing, outdated, ready
    }

    private func state(_ connection: PostgresConnection) async throws -> State {
        let rows = try await connection.run([
            """
            SELECT datistemplate AND NOT datallowconn
                AND shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM \(fingerprint)
            FROM pg_database WHERE datname = \(name)
            """
        ])[0]
        guard let row = rows.first else { return .missing }
        return try row.decode(Bool.self) ? .ready : .outdated
    }

    // MARK: Silos

    /// Makes a silo's database, a copy of the template; where it is there already, makes sure of its rights.
    ///
    /// - Parameter provisioner: a login that may make databases and is a member of atrium_owner, to any database of the
    ///   server.
    package func create(_ database: String, provisioner: ConnectionSettings) async throws {
        precondition(isPlainIdentifier(database), "a database is named by lower-case letters, digits and underscores")
        try await reaching(provisioner) { connection in
            switch try await state(connection) {
            case .ready: break
            case .missing: try await waitForReplacement(connection, provisioner)
            case .outdated: throw SiloError.templateOutdated(name, server: provisioner.host)
            }
            try await copy(to: database, connection, provisioner)
            // The rights on a database are not copied with it. Nobody gets in before they are what they should be.
            // The same request may be under way elsewhere: "tuple concurrently updated".
            try await again(while: "XX000") {
                _ = try await connection.run(
                    ["SET ROLE atrium_owner"] + DatabasePreparation.rights(on: database)
                        + ["ALTER DATABASE \(identifier: database) ALLOW_CONNECTIONS true"])
            }
        }
    }

    private func copy(
        to database: String, _ connection: PostgresConnection, _ provisioner: ConnectionSettings
    ) async throws {
        do {
            try await again(while: "55006") {
                _ = try await connection.run([
                    """
                    CREATE DATABASE \(identifier: database) TEMPLATE \(identifier: name)
                    OWNER atrium_owner ALLOW_CONNECTIONS false
                    """
                ])
            }
        } catch let error as PostgresError {
            switch error.sqlState {
            // There already, or since a moment ago.
            case "42P04", "23505": return
            case "55006": throw SiloError.templateInUse(name, server: provisioner.host)
            case "3D000": throw SiloError.templateMissing(name, server: provisioner.host)
            case "42501": throw SiloError.mayNotCreate(user: provisioner.user, server: provisioner.host)
            default: throw error
            }
        }
    }

    /// While a new template takes the place of the old one, there is none for a moment.
    private func waitForReplacement(_ connection: PostgresConnection, _ settings: ConnectionSettings) async throws {
        for _ in 0..<20 {
            try await Task.sleep(for: .milliseconds(50))
            if try await state(connection) == .ready { return }
        }
        throw SiloError.templateMissing(name, server: settings.host)
    }

    /// Drops a silo's database with all data in it; does nothing where there is none.
    package func drop(_ database: String, provisioner: ConnectionSettings) async throws {
        precondition(isPlainIdentifier(database), "a database is named by lower-case letters, digits and underscores")
        try await reaching(provisioner) { connection in
            let found = try await connection.run(["SELECT 1 FROM pg_database WHERE datname = \(database)"])[0]
            if found.isEmpty { return }
            // Whoever is connected may stay until its pool is closed; nobody else comes.
            _ = try await connection.run([
                "SET ROLE atrium_owner", "ALTER DATABASE \(identifier: database) ALLOW_CONNECTIONS false",
            ])
            do {
                try await again(while: "55006") {
                    _ = try await connection.run(["DROP DATABASE IF EXISTS \(identifier: database)"])
                }
            } catch let error as PostgresError where error.sqlState == "55006" {
                throw SiloError.databaseInUse(database, server: provisioner.host)
            }
        }
    }

    // MARK: Trying

    private func again(while state: String, _ body: () async throws -> Void) async throws {
        let end = ContinuousClock.now + patience
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where error.sqlState == state && ContinuousClock.now < end {
                try await Task.sleep(for: .milliseconds(Int.random(in: 20...100)))
            }
        }
    }

    private func reaching<Result>(
        _ settings: ConnectionSettings, _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        do {
            return try await PostgresConnection.with(settings, logger: logger, body)
        } catch let error as PostgresError {
            switch error.code {
            case .connectFailed, .connectionLost: throw SiloError.unreachable(server: settings.host, error)
            default: throw error.sqlState == "53100" ? SiloError.diskFull(server: settings.host) : error
            }
        }
    }
}
