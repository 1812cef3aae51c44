import Foundation
import Logging
import Postgres
import Tenancy

/// What it takes to work on the shape of every database: administrators' logins, files and the key of contexts.
struct MigrationTools: Sendable {
    let files: MigrationFiles
    let contextKey: ContextKey
    let telemetry: ProcessTelemetry
    /// To the control plane's database.
    private let home: ConnectionSettings
    /// Of further servers, by name.
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
        self.home = home
        administrators = further
    }

    private func fleet(_ options: MigrationOptions) -> FleetMigrator {
        FleetMigrator(files, contextKey: contextKey, options: options, logger: telemetry.logger)
    }

    func migrate(_ options: MigrationOptions) async -> MigrationReport {
        await fleet(options).runAll(home: home) { administrators[$0] }
    }

    func status(_ options: MigrationOptions) async throws -> MigrationReport {
        let installation = try await fleet(options).installation(home: home) { administrators[$0] }
        var report = await fleet(options).status(installation.databases)
        report.databases += installation.unreachable
        return report
    }

    func drift(_ options: MigrationOptions) async throws -> [String] {
        let installation = try await fleet(options).installation(home: home) { administrators[$0] }
        let template = SiloTemplate(files, contextKey: contextKey, logger: telemetry.logger)
        let findings = await DriftCheck(fleet(options)).run(installation.databases, template: template)
        return findings.map(\.description)
            + installation.unreachable.map { "\($0.database): \($0.failure ?? "can't be reached")" }
    }
}
