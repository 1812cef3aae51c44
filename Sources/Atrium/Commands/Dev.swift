import ArgumentParser
import DevStack
import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import Tenancy

struct Dev: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Starts everything on this machine: PostgreSQL, a Kafka broker, two tenants and the server.",
        discussion: "State is kept in .atrium (ATRIUM_DEV_FOLDER) and survives a restart.")

    @Flag(help: "Start over: remove all state first.")
    var reset = false

    @Option(help: "The port to listen on, instead of ATRIUM_PORT or 8080.")
    var port: Int?

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let port = try DevPort.read(self.port.map(String.init) ?? environment["ATRIUM_PORT"])
        let steps = StepPrinter.standardOutput
        let directory = try DevDirectory.open(environment["ATRIUM_DEV_FOLDER"] ?? ".atrium")
        defer { directory.close() }
        guard FreePort.isFree(port) else { throw PortTaken(port: port) }
        if reset { try await steps.step("Removing the old state") { try await directory.reset() } }
        let log = LogConfiguration(
            level: environment["ATRIUM_LOG_LEVEL"].flatMap(Logger.Level.init(rawValue:)) ?? .warning, format: .text)
        let telemetry = ProcessTelemetry.bootstrap(log)
        defer { telemetry.flush() }

        let secrets = try DevSecrets.load(from: directory)
        let cluster = try await steps.step("Starting PostgreSQL, primary and replica") {
            try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(
                    directory: directory.postgres, withReplica: true,
                    settings: ["track_commit_timestamp": "on"]))
        }
        do {
            try await serve(
                port: port, directory: directory, secrets: secrets, cluster: cluster, telemetry: telemetry,
                steps: steps)
        } catch {
            try? await cluster.stop()
            throw error
        }
        try await steps.step("Stopping PostgreSQL") { try await cluster.stop() }
    }

    private func serve(
        port: Int, directory: DevDirectory, secrets: DevSecrets, cluster: EmbeddedPostgres,
        telemetry: ProcessTelemetry, steps: StepPrinter
    ) async throws {
        var settings = SettingsReader(try await ServerConfiguration.reader(file: nil))
        guard let schemas = settings.folder("schemas") else { throw ConfigurationMistakes(settings.mistakes) }
        let database = DevDatabase(cluster: cluster, secrets: secrets, logger: telemetry.logger)
        try await steps.step("Migrating the database") {
            try await database.prepare(MigrationFiles(directory: schemas.appending(path: "sql")))
        }
        let broker = try await steps.step("Starting the Kafka broker") { try EmbeddedBroker() }
        do {
            try await serve(
                port: port, directory: directory, secrets: secrets, cluster: cluster, database: database,
                broker: broker, schemas: schemas, telemetry: telemetry, steps: steps)
        } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }

    private func serve(
        port: Int, directory: DevDirectory, secrets: DevSecrets, cluster: EmbeddedPostgres, database: DevDatabase,
        broker: EmbeddedBroker, schemas: URL, telemetry: ProcessTelemetry, steps: StepPrinter
    ) async throws {
        var configuration = ServerConfiguration(
            servers: [try database.server()], kafka: broker.bootstrapServers, operatorKey: secrets.operatorKey,
            secret: Array(secrets.secret.utf8), schemas: schemas)
        configuration.port = port
        configuration.publicURL = "http://127.0.0.1:\(port)"
        configuration.topicPartitions = 4
        configuration.requestsInFlight = 1
        configuration.fetchWait = .milliseconds(5)
        let server = Server(configuration: configuration, metrics: telemetry.metrics, logger: telemetry.logger)
        // For looking at what modules declare: it opens no connection.
        let modules = try Modules(
            configuration, DataServices(configuration, logger: telemetry.logger), logger: telemetry.logger)
        for topic in modules.topics {
            try broker.create(TopicSpec(topic, partitions: configuration.topicPartitions))
        }
        try await database.forgetOffsets(modules)
        let republished = try await database.rewindOutboxes(modules)
        if republished > 0 {
            steps.note(
                "The broker comes up empty: \(republished) contexts publish again what others have not taken in.")
        }
        let started = ContinuousClock.now
        try await server.run { port in
            do {
                let tenants = try await steps.step(
                    "Starting the server (listening after \(StepPrinter.seconds(started.duration(to: .now)))), two tenants"
                ) {
                    try await DemoTenants(
                        url: "http://127.0.0.1:\(port)", operatorKey: secrets.operatorKey, directory: directory,
                        password: secrets.demoPassword
                    ).prepare()
                }
                let summary = DevSummary(
                    port: port, operatorKey: secrets.operatorKey, tenants: tenants, kafka: broker.bootstrapServers,
                    database: database, replica: cluster.replica?.address, environmentFile: directory.environmentFile)
                try directory.writeEnvironment(summary.environment)
                print(summary.text)
                fflush(nil)
            } catch {
                // The server goes on: what failed is the demonstration, and its message says what to do.
                telemetry.logger.error("the demo tenants are not ready", metadata: ["error": "\(error)"])
            }
        }
    }
}

enum DevPort {
    static func read(_ text: String?) throws -> Int {
        guard let text else { return 8080 }
        guard let port = Int(text), (1...65_535).contains(port) else {
            throw ConfigurationMistakes(["the port is “\(text)”, which is none; give a number from 1 to 65535"])
        }
        return port
    }
}

struct PortTaken: Error, CustomStringConvertible {
    let port: Int

    var description: String {
        "port \(port) is taken; stop what listens there, or choose another: ATRIUM_PORT=8081 make run"
    }
}
