import ArgumentParser
import Logging

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves in production: PostgreSQL and Kafka are elsewhere.",
        discussion: """
            Settings come from the environment (ATRIUM_DATABASE_URL, ATRIUM_KAFKA_BOOTSTRAP_SERVERS, \
            ATRIUM_OPERATOR_KEY, ATRIUM_SECRET, …) and, behind it, from a JSON file. Every mistake is told at once.
            """)

    @Option(help: "A JSON file with settings: {\"database\": {\"url\": …}, …}.")
    var config: String?

    @Option(help: "The port to listen on, instead of ATRIUM_PORT.")
    var port: Int?

    @Option(help: "Which contexts this process runs: identity,orders,billing,metering.")
    var contexts: String?

    @Option(help: "What this process does: http,relay,consumers.")
    var roles: String?

    func run() async throws {
        let reader = try await ServerConfiguration.reader(file: config)
        let configuration = try ServerConfiguration(
            reader, overriding: .init(port: port, contexts: contexts, roles: roles))
        let telemetry = ProcessTelemetry.bootstrap(configuration.log)
        defer { telemetry.flush() }
        try await Server(
            configuration: configuration, metrics: telemetry.metrics, logger: telemetry.logger
        ).run { port in
            telemetry.logger.notice("ready", metadata: ["port": "\(port)"])
        }
    }
}
