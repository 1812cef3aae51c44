import ArgumentParser
import Foundation
import Kafka
import Kernel
import Logging
import Messaging
import Tenancy

struct EventsReplay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Takes a span of a topic through one context's reactions again.",
        discussion: """
            The live group and its offsets stay as they are. What took effect before has none now. An event that fails \
            holds back the later ones of its key; run it again when the cause is mended. Ends with 1 where one failed.
            """)

    @Option(help: "A JSON file with settings.")
    var config: String?
    @Option(help: "The context whose reactions run.")
    var context: ContextName
    @Option(help: "The topic to read, such as orders.order.")
    var topic: String
    @Option(
        help: ArgumentHelp("Where to begin: \(EventPlace.forms), which may be given for several.", valueName: "place"))
    var from: [String]
    @Option(help: ArgumentHelp("Where to stop, in the same form; the place itself is left out.", valueName: "place"))
    var until: [String] = []
    @Flag(help: "Go all the way, take each effect back, and say what would have happened.")
    var dryRun = false

    func validate() throws {
        for place in from + until where EventPlace(place) == nil {
            throw ValidationError("\(place) is none of \(EventPlace.forms)")
        }
        let wanted = from.compactMap { EventPlace($0)?.partition }
        for partition in until.compactMap({ EventPlace($0)?.partition })
        where !wanted.isEmpty && !wanted.contains(partition) {
            throw ValidationError(
                "--until names partition \(partition), which --from leaves out; give --from \(partition):offset as well"
            )
        }
    }

    func run() async throws {
        let tally = try await BrokerTools.with(config) { tools in try await replay(tools) }
        if tally.failed + tally.heldBack > 0 { throw ExitCode(1) }
    }

    private func replay(_ tools: BrokerTools) async throws -> SpanReplay.Tally {
        let data = try DataServices(tools.configuration, poolMaximum: 8, logger: tools.logger)
        let modules = try Modules(tools.configuration, data, logger: tools.logger)
        guard let module = modules.loaded.first(where: { $0.name == context }) else {
            throw ValidationError("this configuration does not run \(context.rawValue)")
        }
        guard module.subscriptions.contains(where: { $0.topic == topic }) else {
            let topics = Set(module.subscriptions.map(\.topic)).sorted().joined(separator: ", ")
            throw ValidationError(
                "\(context.rawValue) reacts to nothing on \(topic), but to \(topics.isEmpty ? "no topic" : topics)")
        }
        let replay = SpanReplay(
            context: module.backbone, subscriptions: module.subscriptions, dataPlane: data.plane, logger: tools.logger)
        let span = try await TopicSpan(
            of: topic, from: from.compactMap { EventPlace($0) }, until: until.compactMap { EventPlace($0) },
            by: tools.reader)
        print("\(span.count) messages in \(span.ranges.count) partitions of \(topic)")
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await data.fleet.run() }
            defer { group.cancelAll() }
            let tally = try await replay.replay(span.ranges, from: tools.reader, isTrial: dryRun) { failure in
                let place = "\(failure.message.topic)[\(failure.message.partition)]@\(failure.message.offset)"
                TenantsTools.printRow(["failed", place, failure.reason])
            }
            let verb = dryRun ? "would be processed" : "processed"
            print(
                "\(tally.processed) \(verb), \(tally.duplicates) duplicate, \(tally.ignored) without a reaction, "
                    + "\(tally.failed) failed, \(tally.heldBack) held back behind them")
            return tally
        }
    }
}
