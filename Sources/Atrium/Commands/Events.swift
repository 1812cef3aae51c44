import ArgumentParser

struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks after events.", subcommands: [EventsDeadLetters.self, EventsRefill.self])
}
