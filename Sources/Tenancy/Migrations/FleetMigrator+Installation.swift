package import Postgres

extension FleetMigrator {
    /// What became of a whole installation: its databases, and the templates of its servers.
    ///
    /// The control plane's database comes first, since it names the others; then the templates, so that no silo is made
    /// from an old one while the rest is being migrated.
    ///
    /// - Parameters:
    ///   - home: an administrator's login to the control plane's database.
    ///   - administrator: of a server by its name, to any of its databases; `nil` where none is configured.
    package func runAll(
        home: ConnectionSettings, administrator: (_ server: String) -> ConnectionSettings?,
        progress: @escaping @Sendable (DatabaseOutcome) -> Void = { _ in }
    ) async -> MigrationReport {
        var report = await run([Database(name: Self.home, administrator: home, isControl: true)], progress: progress)
        // A tenant's schema that fails there keeps nobody back; without the control plane's nobody else is known.
        let isKnown = report.databases[0].schemas.allSatisfy {
            $0.failure == nil || ![MigrationFiles.platform, MigrationFiles.control].contains($0.schema)
        }
        guard report.databases[0].failure == nil, isKnown else { return report }
        let installation: Installation
        do {
            installation = try await self.installation(home: home, administrator: administrator)
        } catch {
            report.databases.append(DatabaseOutcome(database: "the other databases", failure: "\(error)"))
            return report
        }
        for (server, settings) in installation.servers {
            var outcome = DatabaseOutcome(database: "\(server)'s template of silos")
            do {
                try await SiloTemplate(files, contextKey: contextKey, logger: logger).ensure(administrator: settings)
            } catch {
                outcome.failure = "\(error)"
            }
            progress(outcome)
            report.databases.append(outcome)
        }
        report.databases += installation.unreachable
        report.databases += await run(installation.databases.filter { !$0.isControl }, progress: progress).databases
        return report
    }

    /// The databases that the control plane knows, its own first.
    package struct Installation: Sendable {
        package var databases: [Database]
        /// Those on servers that nobody has said how to administer.
        package var unreachable: [DatabaseOutcome] = []
        package var servers: [(name: String, administrator: ConnectionSettings)]
    }

    package static let home = "home"

    package func installation(
        home: ConnectionSettings, administrator: (_ server: String) -> ConnectionSettings?
    ) async throws -> Installation {
        let rows = try await PostgresConnection.with(home, logger: logger) { connection in
            // Before its first migration it knows of no other.
            let isMigrated = try await connection.run(["SELECT to_regclass('control.databases') IS NOT NULL"])[0][0]
                .decode(Bool.self)
            guard isMigrated else { return Rows?.none }
            try await DatabasePreparation.becomeOwner(home, connection)
            return try await connection.run([
                """
                SELECT name, server, database_name, silo_of IS NOT NULL FROM control.databases
                WHERE name <> \(Self.home) ORDER BY name
                """
            ])[0]
        }
        var installation = Installation(
            databases: [Database(name: Self.home, administrator: home, isControl: true)], servers: [(Self.home, home)])
        for row in rows.map(Array.init) ?? [] {
            let (name, server, database, isSilo) = try row.decode((String, String, String, Bool).self)
            guard var settings = server == Self.home ? home : administrator(server) else {
                installation.unreachable.append(
                    DatabaseOutcome(
                        database: name,
                        failure: "nobody has said how to administer the server \(server); set "
                            + Self.administratorVariable(server)))
                continue
            }
            if !installation.servers.contains(where: { $0.name == server }) {
                installation.servers.append((server, settings))
            }
            settings.database = database
            installation.databases.append(
                Database(name: name, administrator: settings, isControl: false, isSilo: isSilo))
        }
        return installation
    }

    /// The setting that holds an administrator's login to a server: `ATRIUM_SERVER_EU_1_ADMIN_URL` for `eu-1`.
    package static func administratorVariable(_ server: String) -> String {
        server == home
            ? "ATRIUM_ADMIN_DATABASE_URL"
            : "ATRIUM_SERVER_\(server.uppercased().replacing("-", with: "_"))_ADMIN_URL"
    }
}
