import ArgumentParser

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after events.",
        subcommands: [EventsTail.self, EventsReplay.self, EventsDeadLetters.self, EventsRefill.self])
}
