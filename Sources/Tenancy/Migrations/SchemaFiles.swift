import Logging
import Postgres

/// A file that was applied to a schema now.
package struct AppliedMigration: Hashable, Sendable, CustomStringConvertible {
    package let schema: String
    package let file: MigrationFiles.File

    package var description: String {
        schema == file.scope ? file.path : "\(schema): \(file.path)"
    }
}

/// What is known of a file that a schema has.
struct KnownMigration: Hashable {
    let number: Int
    let checksum: String
}

/// One schema and the files of its scope: what it lacks, and the statements that give it that.
struct SchemaFiles {
    let schema: String
    let files: [MigrationFiles.File]

    init(_ schema: String, _ files: MigrationFiles) {
        self.schema = schema
        self.files = files.files(of: TenantSchemas.scope(of: schema))
    }

    /// The files that are still to be applied; what the schema has must be what the files are.
    func missing(_ known: Set<KnownMigration>) throws -> [MigrationFiles.File] {
        for migration in known.sorted(by: { $0.number < $1.number }) {
            guard let file = files.first(where: { $0.number == migration.number }) else {
                throw MigrationError.unknown("\(schema)/\(migration.number)")
            }
            guard file.checksum == migration.checksum else { throw MigrationError.changed(named(file)) }
        }
        return files.filter { file in !known.contains { $0.number == file.number } }
    }

    func named(_ file: MigrationFiles.File) -> String {
        AppliedMigration(schema: schema, file: file).description
    }

    /// Within a transaction of atrium_owner. The platform's first file makes its schema itself.
    var creation: [SQL] {
        schema == MigrationFiles.platform
            ? [] : ["CREATE SCHEMA IF NOT EXISTS \(identifier: schema) AUTHORIZATION atrium_owner"]
    }

    /// Within a transaction of atrium_owner.
    ///
    /// - Parameter isNew: whether nobody uses the schema yet, so that an index need not be made concurrently.
    func application(of file: MigrationFiles.File, isNew: Bool = false) -> [SQL] {
        [
            searchPath(isLocal: true),
            Self.script(isNew ? file.concurrentIndex?.plain ?? file.sql : file.sql, tag: file.checksum), record(file),
        ]
    }

    func searchPath(isLocal: Bool) -> SQL {
        "SET \(unsafeSQL: isLocal ? "LOCAL" : "SESSION") search_path = \(identifier: schema), pg_temp"
    }

    func record(_ file: MigrationFiles.File) -> SQL {
        """
        INSERT INTO atrium_migrations.applied (schema_name, number, name, checksum)
        VALUES (\(schema), \(Int32(file.number)), \(file.name), \(file.checksum))
        """
    }

    /// Files hold many statements, which the extended protocol takes one by one: the server runs a file from a string,
    /// which also keeps a COMMIT in it from taking effect.
    ///
    /// - Parameter tag: a text of letters and digits that the script does not hold.
    static func script(_ text: String, tag: String) -> SQL {
        SQL(
            unsafeSQL: """
                DO LANGUAGE plpgsql $run_\(tag)$BEGIN EXECUTE $script_\(tag)$\(text)$script_\(tag)$; END$run_\(tag)$
                """)
    }

    static let everyKnown: SQL = "SELECT schema_name, number, checksum FROM atrium_migrations.applied"

    static func known(_ rows: Rows) throws -> [String: Set<KnownMigration>] {
        var known: [String: Set<KnownMigration>] = [:]
        for row in rows {
            let (schema, number, checksum) = try row.decode((String, Int32, String).self)
            known[schema, default: []].insert(KnownMigration(number: Int(number), checksum: checksum))
        }
        return known
    }
}

extension PostgresConnection {
    /// Runs statements that are not worth preparing, as one flight.
    func run(_ statements: [SQL], deadline: ContinuousClock.Instant? = nil) async throws -> [Rows] {
        try await flight(statements.map { Statement($0, prepare: false) }, deadline: deadline)
    }

    /// Ends a transaction that has failed; what can't be brought to rest is closed.
    func leaveTransaction() async {
        guard isInTransaction else { return }
        _ = try? await run(["ROLLBACK"])
        if isInTransaction { close() }
    }

    /// Opens a connection for `body` and closes it afterwards.
    static func with<Result>(
        _ settings: ConnectionSettings, logger: Logger, _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await connect(settings, logger: logger)
        defer { connection.close() }
        return try await body(connection)
    }
}
