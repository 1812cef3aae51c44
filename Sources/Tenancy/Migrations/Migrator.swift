package import Logging
package import Postgres

/// Brings a database to the shape that this version needs; safe to run again and from several processes at once.
package struct Migrator: Sendable {
    private let files: MigrationFiles
    private let settings: ConnectionSettings
    private let contextKey: ContextKey
    private let logger: Logger

    /// - Parameters:
    ///   - administrator: a login that owns the database; the first time on a server, and wherever rights on functions are
    ///     to be taken away, a superuser.
    ///   - contextKey: what contexts are signed with from now on; those signed with the one before stay valid.
    package init(
        _ files: MigrationFiles, administrator settings: ConnectionSettings, contextKey: ContextKey, logger: Logger
    ) {
        self.files = files
        self.settings = settings
        self.contextKey = contextKey
        self.logger = logger
    }

    /// Answers the files that were applied now. Each file is one transaction: what has failed has changed nothing.
    ///
    /// - Parameter control: whether the database is the control plane's.
    @discardableResult
    package func run(control: Bool) async throws -> [AppliedMigration] {
        try await PostgresConnection.with(settings, logger: logger) { connection in
            try await prepare(connection)
            var applied = try await migrate(schemas(control: control), on: connection)
            try await record(control: control, on: connection)
            try await waitForTenantSchemasInTheMaking(connection)
            for suffix in try await TenantSchemas.suffixes(on: connection) {
                applied += try await migrate(TenantSchemas(files).schemas(suffix), on: connection)
            }
            return applied
        }
    }

    private func schemas(control: Bool) -> [String] {
        [MigrationFiles.platform] + (control ? [MigrationFiles.control] : []) + files.contexts
    }

    /// Leaves the session as atrium_owner, with every other migrator of the database kept out.
    private func prepare(_ connection: PostgresConnection) async throws {
        let version = connection.parameter("server_version") ?? "0"
        guard let major = Int(version.prefix { $0.isNumber }), major >= 15 else {
            throw MigrationError.serverTooOld(version)
        }
        // Without it, the right to ask for the lock may have been taken away from everyone but the owner.
        let mayLock = try await connection.run([
            "SELECT has_function_privilege('pg_catalog.pg_advisory_lock(bigint)', 'EXECUTE')"
        ])[0][0].decode(Bool.self)
        if !mayLock { try await becomeOwner(connection) }
        // One migration of a database at a time. Roles belong to the cluster, which this lock does not cover.
        _ = try await connection.run(["SELECT pg_advisory_lock(hashtext('atrium.migrations'))", "RESET ROLE"])
        try await createRoles(connection)
        let isEarlier = try await connection.run([
            """
            SELECT EXISTS (SELECT FROM pg_attribute
                WHERE attrelid = to_regclass('atrium_migrations.applied') AND attname = 'context')
            """
        ])[0][0].decode(Bool.self)
        if isEarlier { throw MigrationError.earlierLayout }
        _ = try await connection.run(
            DatabasePreparation.rights(on: settings.database)
                + [SchemaFiles.script(DatabasePreparation.script, tag: "preparation")])
        try await becomeOwner(connection)
    }

    private func becomeOwner(_ connection: PostgresConnection) async throws {
        do {
            _ = try await connection.run(["SET ROLE atrium_owner"])
        } catch let error as PostgresError where ["42501", "22023"].contains(error.sqlState) {
            throw MigrationError.mayNotOwn(settings.user)
        }
    }

    private func createRoles(_ connection: PostgresConnection) async throws {
        let script = SchemaFiles.script(files.roles, tag: "roles")
        do {
            try await inTurnAcrossDatabases { _ = try await connection.run([script]) }
        } catch let error as PostgresError where error.sqlState == "42501" {
            throw MigrationError.needsSuperuser(
                error.message.contains("backtrace_functions")
                    ? "GRANT SET ON PARAMETER backtrace_functions TO atrium_owner" : "run roles.sql: \(error.message)")
        }
    }

    private func migrate(_ schemas: [String], on connection: PostgresConnection) async throws -> [AppliedMigration] {
        let known = try SchemaFiles.known(
            await connection.run(["SELECT schema_name, number, checksum FROM atrium_migrations.applied"])[0])
        let targets = schemas.map { SchemaFiles($0, files) }
        let missing = try targets.map { try $0.missing(known[$0.schema] ?? []) }
        var applied: [AppliedMigration] = []
        for (target, missing) in zip(targets, missing) {
            for file in missing {
                do {
                    _ = try await connection.run(
                        ["BEGIN"] + target.creation + target.application(of: file) + ["COMMIT"])
                } catch {
                    await connection.leaveTransaction()
                    throw MigrationError.failed(
                        target.named(file), because: (error as? PostgresError)?.debugDescription ?? "\(error)")
                }
                applied.append(AppliedMigration(schema: target.schema, file: file))
                logger.info("migration applied", metadata: ["file": "\(target.named(file))"])
            }
        }
        return applied
    }

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

    /// Concurrent changes of the same role fail in the server with "tuple concurrently updated": such a try is repeated.
    private func inTurnAcrossDatabases(_ body: () async throws -> Void) async throws {
        var tries = 0
        while true {
            do {
                return try await body()
            } catch let error as PostgresError where tries < 20 && ["XX000", "23505", "42710"].contains(error.sqlState)
            {
                tries += 1
                try await Task.sleep(for: .milliseconds(Int.random(in: 5...50)))
            }
        }
    }
}
