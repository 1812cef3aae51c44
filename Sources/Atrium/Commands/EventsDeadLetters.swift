import ArgumentParser
import Foundation
import Kafka
import Kernel
import Messaging
import Tenancy

struct EventsDeadLetters: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters", abstract: "Messages that a context set aside, and those that wait behind them.",
        subcommands: [List.self, Parked.self, Show.self, Replay.self, Discard.self])

    /// What letters a command is about.
    struct Choice: ParsableArguments {
        @Option(help: "The context that set them aside.")
        var context: ContextName?
        @Option(help: "Only this tenant's: identifier or slug.")
        var tenant: String?
        @Option(help: "Only events of this type: orders.order.placed.v1.")
        var type: String?
        @Option(help: "Only of this topic.")
        var topic: String?
        @Option(help: "Only with this key: the aggregate's identifier, or 0x and hexadecimal digits.")
        var key: String?
        @Option(help: "Only for this cause: failed, rejected, waiting, unknown_version, unknown_tenant, refused.")
        var kind: DeadLetter.Kind?
        @Option(help: "Only those that this reaction failed on.")
        var reaction: String?

        var isEmpty: Bool {
            [tenant, type, topic, key, kind?.rawValue, reaction].allSatisfy { $0 == nil }
        }

        func filter(_ tools: EventTools, limit: Int) async throws -> DeadLetters.Filter {
            var filter = DeadLetters.Filter()
            filter.tenant = try await tools.tenant(tenant)
            filter.type = type
            filter.topic = topic
            filter.key = key.map(EventKey.bytes)
            filter.kind = kind
            filter.reaction = reaction
            filter.limit = limit
            return filter
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lists dead letters, oldest first.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @OptionGroup var choice: Choice
        @Flag(help: "The ones that were replayed or discarded as well.")
        var all = false
        @Option(help: "How many at most.")
        var limit = 100
        @Flag(help: "As JSON, one object a line.")
        var json = false

        func validate() throws {
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                var filter = try await choice.filter(tools, limit: limit)
                if all { filter.isOpen = nil }
                if !json {
                    TenantsTools.printRow([
                        "id", "context", "failed at", "kind", "tenant", "type", "key", "reaction", "attempts", "state",
                        "reason",
                    ])
                }
                for letter in try await tools.desk.list(filter, of: choice.context) {
                    if json { printJSON(letter, as: DeadLetterView.summary) } else { printLine(letter) }
                }
            }
        }

        private func printLine(_ line: EventDesk.Letter) {
            let letter = line.letter
            TenantsTools.printRow([
                letter.id.canonical, line.context.rawValue, letter.failedAt.description, letter.kind.rawValue,
                letter.tenantID?.description, letter.eventType, letter.key.map(EventKey.text), letter.reaction,
                String(letter.attempts), letter.resolution?.rawValue ?? "open", letter.reason,
            ])
        }
    }

    struct Parked: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists aggregates whose events wait, the longest first.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Option(help: "Only this context's.")
        var context: ContextName?
        @Option(help: "Only this tenant's: identifier or slug.")
        var tenant: String?
        @Option(help: "How many at most.")
        var limit = 100

        func validate() throws {
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                TenantsTools.printRow(["context", "since", "kind", "tenant", "topic", "key", "letters", "reason"])
                let tenant = try await tools.tenant(tenant)
                for parked in try await tools.desk.parked(tenant: tenant, of: context, limit: limit) {
                    let key = parked.key
                    TenantsTools.printRow([
                        parked.context.rawValue, key.since.description, key.kind.rawValue, "\(key.key.tenantID)",
                        key.key.topic, EventKey.text(of: key.key.key), String(key.letters), key.reason,
                    ])
                }
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows dead letters whole, as JSON: with headers and data, which may be a tenant's secrets.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @Argument(help: "Identifiers from `list`.")
        var ids: [LetterID]

        func run() async throws {
            try await EventTools.with(config) { tools in
                for id in ids { printJSON(try await tools.desk.show(id.value), as: DeadLetterView.whole) }
            }
        }
    }
}

/// The identifier of a dead letter.
struct LetterID: ExpressibleByArgument, Hashable, Sendable {
    let value: UUID

    init?(argument: String) {
        guard let value = UUID(uuidString: argument) else { return nil }
        self.value = value
    }
}

extension DeadLetter.Kind: ExpressibleByArgument {}
