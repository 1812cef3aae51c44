import Configuration
import Foundation
import Kernel
import Logging
import Postgres
import SystemPackage
import Tenancy

/// Everything that `atrium serve` can be told, checked as a whole.
struct ServerConfiguration: Sendable {
    var host = "127.0.0.1"
    var port = 8080
    /// Where others reach this server: the issuer of its tokens.
    var publicURL = "http://127.0.0.1:8080"
    /// The first holds the control plane.
    var servers: [ServerSettings]
    var poolMaximum = 24
    /// How many connections this process may have open in all.
    var connections = 90
    /// Whether a pooler such as PgBouncer hands each transaction to another server process.
    var throughPooler = false
    var kafka: String
    /// librdkafka's properties for TLS and SASL.
    var kafkaProperties: [String: String] = [:]
    var topicPartitions = 8
    var topicReplication = 1
    /// Of the producer, to each broker.
    var requestsInFlight = 5
    /// How long a broker without news holds a consumer's request back.
    var fetchWait = Duration.milliseconds(50)
    var operatorKey: String
    /// Signs cursors, and encrypts what a copy of the database must not give away; the same in every process.
    var secret: [UInt8]
    var contexts: Set<ContextName> = Set(ContextName.allCases)
    var roles: Set<ProcessRole> = Set(ProcessRole.allCases)
    var schemas: URL
    /// How often canaries try to reach one another; `nil` where this process has no such watch.
    var canaryInterval: Duration?
    /// How long published events are kept after their day is over.
    var outboxRetention = Duration.seconds(14 * 86_400)
    var log = LogConfiguration()
}

struct LogConfiguration: Sendable {
    var level = Logger.Level.info
    var format = Format.json

    enum Format: String, Sendable, CaseIterable {
        case json, text
    }
}

enum ContextName: String, Sendable, CaseIterable {
    case identity, orders, billing, metering
}

/// The kinds of work that a process can do.
enum ProcessRole: String, Sendable, CaseIterable {
    case http, relay, consumers
}

extension ServerConfiguration {
    /// The name of the server that ATRIUM_DATABASE_URL leads to.
    static let home = "home"

    var database: ConnectionSettings { servers[0].primary }

    /// Reads the environment (`ATRIUM_…`) first and the file, where one is given, second; a mistake in one setting
    /// doesn't hide the mistakes in the others.
    init(_ reader: ConfigReader, overriding options: Overrides = Overrides()) throws(ConfigurationMistakes) {
        var settings = SettingsReader(reader)
        settings.refuseUnknown(ProcessInfo.processInfo.environment)
        let host = settings.text("host", default: "127.0.0.1")
        let port =
            options.port.map { settings.checked("port", $0, in: 1...65_535) }
            ?? settings.number("port", default: 8080, in: 1...65_535)
        let database = settings.required("database.url", "postgresql://atrium_app:…@host/atrium")
            .flatMap { settings.connection("database.url", $0) }
        let replicas = settings.connections("database.replicas")
        let provisioner = settings.connection("provisioner.database.url")
        let further = settings.furtherServers()
        let connections = settings.number("database.connections", default: 90, in: 1...10_000)
        let throughPooler = settings.flag("database.pooler", default: false)
        let poolMaximum = settings.number("database.pool.maximum", default: 24, in: 1...1000)
        let kafka = settings.required("kafka.bootstrap.servers", "host:port, …")
        let kafkaProperties = settings.kafkaProperties()
        let partitions = settings.number("kafka.topic.partitions", default: 8, in: 1...1000)
        let replication = settings.number("kafka.topic.replication", default: 1, in: 1...15)
        let requestsInFlight = settings.number("kafka.requests.in.flight", default: 5, in: 1...5)
        let fetchWait = settings.number("kafka.fetch.wait", default: 50, in: 1...10_000)
        let operatorKey = settings.secret("operator.key", minimum: 24)
        let secret = settings.secret("secret", minimum: 32)
        let contexts: Set<ContextName> = settings.names(
            "contexts", override: options.contexts, default: Set(ContextName.allCases))
        let roles: Set<ProcessRole> = settings.names(
            "roles", override: options.roles, default: Set(ProcessRole.allCases))
        let schemas = settings.folder("schemas")
        let canaries = settings.number("canary.interval", default: 30, in: 0...86_400)
        let outboxRetention = settings.number("outbox.retention", default: 14, in: 1...3650)
        let log = settings.log()
        let publicURL = settings.text("public.url", default: "http://\(host):\(port)")
        if URL(string: publicURL)?.scheme?.hasPrefix("http") != true {
            settings.mistake("public.url", "is not an http or https URL")
        }
        guard settings.mistakes.isEmpty, let database, let kafka, let operatorKey, let secret, let schemas else {
            throw ConfigurationMistakes(settings.mistakes)
        }
        self.init(
            host: host, port: port, publicURL: publicURL,
            servers: [
                ServerSettings(name: Self.home, primary: database, replicas: replicas, provisioner: provisioner)
            ] + further,
            poolMaximum: poolMaximum, connections: connections, throughPooler: throughPooler, kafka: kafka,
            kafkaProperties: kafkaProperties, topicPartitions: partitions, topicReplication: replication,
            requestsInFlight: requestsInFlight, fetchWait: .milliseconds(fetchWait), operatorKey: operatorKey,
            secret: Array(secret.utf8), contexts: contexts, roles: roles, schemas: schemas,
            canaryInterval: canaries == 0 ? nil : .seconds(canaries),
            outboxRetention: .seconds(outboxRetention * 86_400), log: log)
    }

    /// What the command line says, which goes before everything else.
    struct Overrides: Sendable {
        var port: Int?
        var contexts: String?
        var roles: String?
    }

    static func reader(file: String?) async throws -> ConfigReader {
        var providers: [any ConfigProvider] = [
            KeyMappingProvider(upstream: EnvironmentVariablesProvider()) { key in
                AbsoluteConfigKey(["atrium"] + key.components, context: key.context)
            }
        ]
        if let file {
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: .init(file)))
            } catch {
                throw ConfigurationMistakes([
                    "configuration file \(file) can't be read as JSON: \(error); correct it or leave out --config"
                ])
            }
        }
        return ConfigReader(providers: providers)
    }
}

/// Every mistake of a configuration at once.
struct ConfigurationMistakes: Error, CustomStringConvertible {
    let mistakes: [String]

    init(_ mistakes: [String]) {
        self.mistakes = mistakes
    }

    var description: String {
        "the configuration has \(mistakes.count == 1 ? "a mistake" : "\(mistakes.count) mistakes"):\n"
            + mistakes.map { "  - \($0)" }.joined(separator: "\n")
    }
}
