import ArgumentParser
import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Tenancy

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after events.",
        subcommands: [DeadLettersCommand.self, EventsTail.self, EventsReplay.self])
}

struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Messages that a context gave up on.",
        subcommands: [List.self, Replay.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists dead letters, oldest first.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Option(help: "Only this context: identity, orders, billing, metering.")
        var context: String?
        @Option(help: "Only this tenant, by its identifier.")
        var tenant: String?
        @Flag(help: "The ones that were replayed as well.")
        var all = false
        @Option(help: "How many of each context.")
        var limit = 100

        func validate() throws {
            if let tenant, TenantID(tenant) == nil { throw ValidationError("--tenant is not a UUID") }
            if let context, ContextName(rawValue: context) == nil {
                throw ValidationError("--context is none of identity, orders, billing, metering")
            }
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                print("id\tcontext\tfailed at\ttenant\ttype\treaction\tattempts\treason")
                for module in tools.modules.loaded where context == nil || module.context.schema == context {
                    let letters = DeadLetters(
                        schema: module.backbone.schema, dataPlane: tools.data.plane,
                        in: tools.data.databases(of: module.backbone.schema), logger: tools.logger)
                    for letter in try await letters.list(
                        tenant: tenant.flatMap { TenantID($0) }, includingReplayed: all, limit: limit)
                    {
                        let columns: [String] = [
                            letter.id.canonical, module.context.schema, letter.failedAt.description,
                            letter.tenantID?.description ?? "-", letter.eventType ?? "-", letter.reaction ?? "-",
                            String(letter.attempts), letter.reason,
                        ]
                        print(columns.map(printable).joined(separator: "\t"))
                    }
                }
            }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends dead letters through again, in the order given.",
            discussion: "An event that took effect before has none now.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Option(help: "The context that gave up on them: identity, orders, billing, metering.")
        var context: String
        @Argument(help: "Identifiers from `list`.")
        var ids: [String]

        func validate() throws {
            if ContextName(rawValue: context) == nil {
                throw ValidationError("--context is none of identity, orders, billing, metering")
            }
            for id in ids where UUID(uuidString: id) == nil { throw ValidationError("\(id) is not a UUID") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                guard let module = tools.modules.loaded.first(where: { $0.context.schema == context }) else {
                    throw ValidationError("this configuration does not run \(context)")
                }
                let replay = DeadLetterReplay(
                    context: module.backbone, subscriptions: module.subscriptions, dataPlane: tools.data.plane,
                    in: tools.data.databases(of: module.backbone.schema), producer: tools.producer, logger: tools.logger
                )
                for id in ids.compactMap({ UUID(uuidString: $0) }) {
                    print("\(id.canonical)\t\(try await replay.replay(id))")
                }
            }
        }
    }
}

/// What a command needs that works on events without serving.
private struct EventTools: Sendable {
    let data: DataServices
    let producer: KafkaProducer
    let modules: Modules
    let logger: Logger

    static func with(_ config: String?, _ body: @Sendable (EventTools) async throws -> Void) async throws {
        let configuration = try ServerConfiguration(try await ServerConfiguration.reader(file: config))
        let telemetry = ProcessTelemetry.bootstrap(LogConfiguration(level: .warning, format: .text))
        defer { telemetry.flush() }
        let data = try DataServices(configuration, poolMaximum: 2, logger: telemetry.logger)
        let producer = try KafkaProducer(
            KafkaSettings(bootstrapServers: configuration.kafka), logger: telemetry.logger)
        let modules = try Modules(configuration, data, logger: telemetry.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await data.fleet.run() }
            group.addTask { try await producer.run() }
            defer { group.cancelAll() }
            try await body(
                EventTools(data: data, producer: producer, modules: modules, logger: telemetry.logger))
        }
    }
}

/// A dead letter holds what strangers sent: nothing of it may move the terminal's cursor or break a column.
private func printable(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : Character($0) })
}
