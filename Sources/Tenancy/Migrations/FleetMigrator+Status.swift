import Postgres

extension FleetMigrator {
    /// What these databases lack and where they are not as the files are; changes nothing.
    package func status(_ databases: [Database]) async -> MigrationReport {
        var report = MigrationReport()
        report.databases = await eachOf(databases) { database in
            var outcome = DatabaseOutcome(database: database.name)
            do {
                outcome.schemas = try await PostgresConnection.with(database.administrator, logger: logger) {
                    try await status(of: database, on: $0)
                }
            } catch let error as PostgresError where error.sqlState == "3D000" && database.isSilo {
                outcome.isAbsent = true
            } catch {
                outcome.failure = "\(error)"
            }
            return outcome
        }
        return report
    }

    func status(of database: Database, on connection: PostgresConnection) async throws -> [SchemaOutcome] {
        let isMigrated = try await connection.run(["SELECT to_regclass('atrium_migrations.applied') IS NOT NULL"])[0][0]
            .decode(Bool.self)
        let known = isMigrated ? try await SchemaFiles.known(connection.run([SchemaFiles.everyKnown])[0]) : [:]
        let own = try await TenantSchemas.suffixes(on: connection).flatMap { TenantSchemas(files).schemas($0) }
        return (files.baseSchemas(control: database.isControl) + own).map { schema in
            var outcome = SchemaOutcome(schema: schema)
            do {
                outcome.pending = try SchemaFiles(schema, files).missing(known[schema] ?? [])
            } catch {
                outcome.failure = error as? MigrationError
            }
            return outcome
        }
    }
}
