import ArgumentParser
import Foundation
import Kafka
import Kernel
import Messaging
import Tenancy

struct EventsRefill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refill",
        abstract: "Has events published again that the broker lost before a context took them in.",
        discussion: """
            Reading stops at a partition of which something is missing. This looks in the outboxes for the first event \
            that the context has not taken in, publishes everything from there on again, in order, and lets the context \
            go on. All readers of the topics get those events once more; inboxes drop what they know.
            """)

    @Option(help: "A JSON file with settings.")
    var config: String?
    @Option(help: "The context that misses events.")
    var context: ContextName
    @Option(help: "Looks at nothing that was recorded before this time (RFC 3339): quicker where outboxes are long.")
    var since: String?
    @Flag(help: "Says what is missing, and changes nothing.")
    var dryRun = false
    @Flag(help: "Goes on even though outboxes no longer hold all that may have been missed.")
    var acceptLoss = false
    @Option(help: "Who you are, for the record.")
    var by: String = NSUserName()

    func validate() throws {
        if let since, Timestamp(since) == nil {
            throw ValidationError("--since is no RFC 3339 time, such as 2026-01-15T09:30:00Z")
        }
        try checkRecord(by: by, reason: nil)
    }

    func run() async throws {
        try await EventTools.with(config) { tools in
            guard let module = tools.modules.loaded.first(where: { $0.name == context }) else {
                throw EventDesk.Failure.notRun(context)
            }
            var kafka = KafkaSettings(bootstrapServers: tools.configuration.kafka)
            kafka.properties = tools.configuration.kafkaProperties
            let reader = try KafkaReader(kafka, logger: tools.logger)
            do {
                let refill = EventRefill(
                    context: module, data: tools.data, reader: reader, logger: tools.logger)
                let plan = try await refill.plan(since: since.flatMap { Timestamp($0) })
                show(plan)
                if !dryRun, !plan.gaps.isEmpty { try await carryOut(plan, refill) }
            } catch {
                await reader.close()
                throw error
            }
            await reader.close()
        }
    }

    private func show(_ plan: EventRefill.Plan) {
        guard !plan.gaps.isEmpty else { return print("nothing is missing: \(context.rawValue) has no gap") }
        TenantsTools.printRow(["gap", "found at", "expected", "there", "cause"])
        for gap in plan.gaps {
            TenantsTools.printRow([
                "\(gap.source)", gap.foundAt.description, gap.expected.map(String.init),
                "\(gap.available.lowerBound)..<\(gap.available.upperBound)", gap.cause,
            ])
        }
        TenantsTools.printRow(["outbox", "database", "first missed", "holds from"])
        for source in plan.sources {
            TenantsTools.printRow([
                source.schema, "\(source.database)", source.from?.description ?? "none",
                source.heldFrom?.description ?? "its beginning",
            ])
        }
    }

    private func carryOut(_ plan: EventRefill.Plan, _ refill: EventRefill) async throws {
        if !plan.incomplete.isEmpty, !acceptLoss {
            let places = plan.incomplete.map { "\($0.schema) in \($0.database)" }.joined(separator: ", ")
            throw ValidationError(
                """
                \(places) no longer holds everything since the context last took an event in. Get the rest from a backup, \
                or go on without it: --accept-loss
                """)
        }
        if plan.beginsLate, !acceptLoss {
            throw ValidationError(
                "--since is later than the last event that was taken in: begin earlier, or go on without the rest: --accept-loss"
            )
        }
        try await refill.carryOut(plan, by: by)
        print("\(plan.gaps.count) gaps resolved; \(context.rawValue) goes on within seconds")
    }
}
