import ArgumentParser
import Foundation
import Logging
import Postgres
import Tenancy

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Brings a database to the shape that this version needs.",
        discussion: """
            Logs in with ATRIUM_ADMIN_DATABASE_URL, a role that owns the database and may create roles. Safe to run \
            again, and from several places at once.
            """)

    @Option(help: "A JSON file with settings.")
    var config: String?

    func run() async throws {
        var settings = SettingsReader(try await ServerConfiguration.reader(file: config))
        let administrator = settings.required(
            "admin.database.url", "postgresql://postgres:…@host/atrium, an administrator's login"
        ).flatMap { settings.connection("admin.database.url", $0) }
        let secret = settings.secret("secret", minimum: 32)
        let schemas = settings.folder("schemas")
        let log = settings.log()
        guard settings.mistakes.isEmpty, let administrator, let schemas, let secret else {
            throw ConfigurationMistakes(settings.mistakes)
        }
        let telemetry = ProcessTelemetry.bootstrap(log)
        defer { telemetry.flush() }
        let files = try MigrationFiles(directory: schemas.appending(path: "sql"))
        let applied = try await Migrator(
            files, administrator: administrator, contextKey: ContextKey(secret: Array(secret.utf8)),
            logger: telemetry.logger
        ).run(control: true)
        print(applied.isEmpty ? "nothing to do" : "applied \(applied.count) of \(files.files.count) files")
    }
}
