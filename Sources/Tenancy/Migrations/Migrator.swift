package import Logging
package import Postgres
import Synchronization

/// Brings a database to the shape that this version needs; safe to run again and from several processes at once.
package struct Migrator: Sendable {
    private let files: MigrationFiles
    private let settings: ConnectionSettings
    private let contextKey: ContextKey
    private let options: MigrationOptions
    private let logger: Logger

    /// - Parameters:
    ///   - administrator: a login that owns the database; the first time on a server, and wherever rights on functions are
    ///     to be taken away, a superuser.
    ///   - contextKey: what contexts are signed with from now on; those signed with the one before stay valid.
    package init(
        _ files: MigrationFiles, administrator settings: ConnectionSettings, contextKey: ContextKey,
        options: MigrationOptions = MigrationOptions(), logger: Logger
    ) {
        self.files = files
        self.settings = settings
        self.contextKey = contextKey
        self.options = options
        self.logger = logger
    }

    /// Answers the files that were applied now; the first failure is thrown when everything else has been done.
    ///
    /// - Parameter control: whether the database is the control plane's.
    @discardableResult
    package func run(control: Bool) async throws -> [AppliedMigration] {
        let outcomes = try await outcomes(control: control)
        if let failure = outcomes.lazy.compactMap(\.failure).first { throw failure }
        return outcomes.flatMap(\.applied)
    }

    /// What became of each schema. Each file is one transaction: what has failed has changed nothing.
    package func outcomes(control: Bool) async throws -> [SchemaOutcome] {
        try await PostgresConnection.with(settings, logger: logger) { connection in
            try await DatabasePreparation.run(roles: files.roles, settings, on: connection)
            var outcomes = try await migrateBase(control: control, on: connection)
            let failed = Set(outcomes.filter { $0.failure != nil }.map(\.schema))
            guard !failed.contains(MigrationFiles.platform) else { return outcomes }
            try await record(control: control && !failed.contains(MigrationFiles.control), on: connection)
            try await waitForTenantSchemasInTheMaking(connection)
            outcomes += try await migrateTenants(without: failed, on: connection)
            return outcomes
        }
    }

    /// The schemas of the database itself: the platform's first, and nothing without it.
    private func migrateBase(control: Bool, on connection: PostgresConnection) async throws -> [SchemaOutcome] {
        let known = try await SchemaFiles.known(connection.run([SchemaFiles.everyKnown])[0])
        var outcomes: [SchemaOutcome] = []
        for schema in files.baseSchemas(control: control) {
            if outcomes.first?.failure != nil {
                outcomes.append(SchemaOutcome(schema: schema, failure: .waits(for: MigrationFiles.platform)))
            } else {
                outcomes.append(await migration(schema, connection).run(known[schema] ?? []))
            }
        }
        return outcomes
    }

    private func migration(_ schema: String, _ connection: PostgresConnection) -> SchemaMigration {
        SchemaMigration(
            target: SchemaFiles(schema, files), connection: connection, options: options, logger: logger)
    }

    // MARK: Tenants' own schemas

    private func migrateTenants(
        without failed: Set<String>, on connection: PostgresConnection
    ) async throws -> [SchemaOutcome] {
        let known = try await SchemaFiles.known(connection.run([SchemaFiles.everyKnown])[0])
        var outcomes: [SchemaOutcome] = []
        var work: [String] = []
        for schema in try await TenantSchemas.suffixes(on: connection).flatMap({ TenantSchemas(files).schemas($0) }) {
            let target = SchemaFiles(schema, files)
            let scope = TenantSchemas.scope(of: schema)
            if failed.contains(scope) {
                outcomes.append(SchemaOutcome(schema: schema, failure: .waits(for: scope)))
            } else if (try? target.missing(known[schema] ?? []).isEmpty) == true {
                outcomes.append(SchemaOutcome(schema: schema))
            } else {
                work.append(schema)
            }
        }
        if !work.isEmpty { outcomes += try await migrate(work, known) }
        return outcomes.sorted { ($0.schema.suffix(33), $0.schema) < ($1.schema.suffix(33), $1.schema) }
    }

    /// Several at a time, each connection taking the next schema when it is done with one.
    private func migrate(
        _ schemas: [String], _ known: [String: Set<KnownMigration>]
    ) async throws -> [SchemaOutcome] {
        let queue = WorkQueue(schemas)
        return await withTaskGroup(of: [SchemaOutcome].self) { group in
            for _ in 0..<min(max(options.schemas, 1), schemas.count) {
                group.addTask { await work(off: queue, known) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func work(off queue: WorkQueue<String>, _ known: [String: Set<KnownMigration>]) async -> [SchemaOutcome] {
        var outcomes: [SchemaOutcome] = []
        var connection: PostgresConnection?
        defer { connection?.close() }
        while let schema = queue.next() {
            do {
                // The one before may have broken it.
                if connection?.isOpen != true {
                    connection = try await PostgresConnection.connect(settings, logger: logger)
                    try await DatabasePreparation.becomeOwner(settings, connection!)
                }
                outcomes.append(await migration(schema, connection!).run(known[schema] ?? []))
            } catch {
                outcomes.append(
                    SchemaOutcome(
                        schema: schema,
                        failure: error as? MigrationError ?? .failed(schema, because: "\(error)")))
            }
        }
        return outcomes
    }

    // MARK: Around the files

    /// The key that contexts are signed with, and in the control plane's database that database itself.
    private func record(control: Bool, on connection: PostgresConnection) async throws {
        let home: [SQL] =
            control
            ? [
                "INSERT INTO control.servers (name, region) VALUES ('home', NULL) ON CONFLICT DO NOTHING",
                """
                INSERT INTO control.databases (name, server, database_name) VALUES ('home', 'home', current_database())
                ON CONFLICT (name) DO UPDATE SET database_name = EXCLUDED.database_name
                """,
            ] : []
        do {
            _ = try await connection.run(["BEGIN"] + DatabasePreparation.store(contextKey) + home + ["COMMIT"])
        } catch {
            await connection.leaveTransaction()
            throw error
        }
    }

    /// Whoever looked at the base schemas before they were migrated has made a tenant's schemas when this returns, and so
    /// they are seen; whoever looks later refuses unless it has the same files.
    private func waitForTenantSchemasInTheMaking(_ connection: PostgresConnection) async throws {
        _ = try await connection.run(["BEGIN", "SELECT pg_advisory_xact_lock(\(TenantSchemas.lock))", "COMMIT"])
    }
}

/// Hands each element to one of those who ask.
final class WorkQueue<Element: Sendable>: Sendable {
    private let rest: Mutex<ArraySlice<Element>>

    init(_ elements: [Element]) {
        rest = Mutex(elements[...])
    }

    func next() -> Element? {
        rest.withLock { $0.popFirst() }
    }
}
