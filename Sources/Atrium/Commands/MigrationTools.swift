import Foundation
import Logging
import Postgres
import Tenancy

/// What it takes to work on the shape of every database: administrators' logins, files and the key of contexts.
struct MigrationTools: Sendable {
    let files: MigrationFiles
    let contextKey: ContextKey
    let telemetry: ProcessTelemetry
    /// By the name of the server; `home` has the control plane.
    private let administrators: [String: ConnectionSettings]

    init(config: String?) async throws {
        var settings = SettingsReader(try await ServerConfiguration.reader(file: config))
        let home = settings.required(
            "admin.database.url", "postgresql://postgres:…@host/atrium, an administrator's login"
        ).flatMap { settings.connection("admin.database.url", $0) }
        let further = settings.furtherAdministrators()
        let secret = settings.secret("secret", minimum: 32)
        let schemas = settings.folder("schemas")
        let log = settings.log()
        guard settings.mistakes.isEmpty, let home, let schemas, let secret else {
            throw ConfigurationMistakes(settings.mistakes)
        }
        files = try MigrationFiles(directory: schemas.appending(path: "sql"))
        contextKey = ContextKey(secret: Array(secret.utf8))
        telemetry = ProcessTelemetry.bootstrap(log)
        administrators = further.merging([ServerConfiguration.home: home]) { _, home in home }
    }

    private var home: ConnectionSettings {
        get throws {
            guard let home = administrators[ServerConfiguration.home] else { throw ConfigurationMistakes([]) }
            return home
        }
    }

    /// The control plane first, since it knows of the others; then the templates of silos, then everything.
    func migrate(_ options: MigrationOptions) async throws -> MigrationReport {
        let migrator = FleetMigrator(files, contextKey: contextKey, options: options, logger: telemetry.logger)
        let control = try await migrator.run([control()])
        // A tenant's schema that fails there keeps nobody back; without the control plane's nobody else is known.
        guard
            control.databases.allSatisfy({ $0.failure == nil && !$0.schemas.contains(where: \.isControlPlanesFailure) })
        else { return control }
        let databases = try await databases()
        for server in Set(databases.map(\.server)).union([ServerConfiguration.home]).sorted() {
            try await SiloTemplate(files, contextKey: contextKey, logger: telemetry.logger)
                .ensure(administrator: administrator(of: server))
        }
        let rest = await migrator.run(databases.map(\.database).filter { !$0.isControl })
        var report = MigrationReport()
        report.databases = control.databases + rest.databases
        return report
    }

    /// Each file that a schema lacks, as `server/database schema: file`.
    func missing() async throws -> [String] {
        var missing: [String] = []
        for (_, database) in [(ServerConfiguration.home, try control())]
            + (try await databases()).filter({ !$0.database.isControl })
        {
            do {
                missing += try await lacking(in: database)
            } catch {
                missing.append("\(database.name): \(error)")
            }
        }
        return missing
    }

    private func lacking(in database: FleetMigrator.Database) async throws -> [String] {
        let connection = try await PostgresConnection.connect(database.administrator, logger: telemetry.logger)
        defer { connection.close() }
        guard
            try await connection.query("SELECT to_regclass('atrium_migrations.applied') IS NOT NULL")[0]
                .decode(Bool.self)
        else { return ["\(database.name): has never been migrated"] }
        let applied = Set(
            try await connection.query("SELECT schema_name, number FROM atrium_migrations.applied").map { row in
                let (schema, number) = try row.decode((String, Int32).self)
                return "\(schema) \(number)"
            })
        let own = try await connection.query(
            "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^[a-z][a-z0-9_]*__t[0-9a-f]{32}$' ORDER BY 1"
        ).map { try $0.decode(String.self) }
        let base = [MigrationFiles.platform] + (database.isControl ? [MigrationFiles.control] : []) + files.contexts
        return (base + own).flatMap { schema in
            let scope = schema.split(separator: "__", maxSplits: 1).first.map(String.init) ?? schema
            return files.files(of: scope).filter { !applied.contains("\(schema) \($0.number)") }
                .map { "\(database.name) \(schema): \($0.path)" }
        }
    }

    private func control() throws -> FleetMigrator.Database {
        FleetMigrator.Database(
            name: "\(ServerConfiguration.home)/\(try home.database)", administrator: try home, isControl: true)
    }

    /// What the control plane has on its list.
    private func databases() async throws -> [(server: String, database: FleetMigrator.Database)] {
        let connection = try await PostgresConnection.connect(home, logger: telemetry.logger)
        defer { connection.close() }
        let rows = try await connection.query(
            "SELECT name, server, database_name, silo_of IS NOT NULL FROM control.databases ORDER BY name")
        return try rows.map { row in
            let (name, server, database, isSilo) = try row.decode((String, String, String, Bool).self)
            let isControl = name == ServerConfiguration.home
            var administrator = try administrator(of: server)
            if !isControl { administrator.database = database }
            return (
                server,
                FleetMigrator.Database(
                    name: "\(server)/\(administrator.database)", administrator: administrator, isControl: isControl,
                    isSilo: isSilo)
            )
        }
    }

    private func administrator(of server: String) throws -> ConnectionSettings {
        guard let administrator = administrators[server] else {
            let name = server.replacing("-", with: "_").uppercased()
            throw ConfigurationMistakes([
                "the control plane has databases on server \(server); set ATRIUM_SERVERS and ATRIUM_SERVER_\(name)_ADMIN_URL"
            ])
        }
        return administrator
    }
}

extension SchemaOutcome {
    fileprivate var isControlPlanesFailure: Bool {
        failure != nil && (schema == MigrationFiles.control || schema == MigrationFiles.platform)
    }
}
