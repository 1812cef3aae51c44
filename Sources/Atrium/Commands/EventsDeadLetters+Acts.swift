import ArgumentParser
import Foundation
import Kafka
import Kernel
import Messaging
import Tenancy
import Web

extension EventsDeadLetters {
    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sends dead letters through again, those of a key in their order.",
            discussion: """
                Of each key no further than the first that fails again; the command then ends with 1. An event that took \
                effect before has none now.
                """)

        @Option(help: "A JSON file with settings.")
        var config: String?
        @OptionGroup var choice: Choice
        @Flag(help: "Says what would happen, and changes nothing.")
        var dryRun = false
        @Option(help: "Why, for the record.")
        var reason: String?
        @Option(help: "Who you are, for the record.")
        var by: String = NSUserName()
        @Option(help: "How many letters at most, where they are chosen by options.")
        var limit = 1000
        @Argument(help: "Identifiers from `list`, in place of the options that choose.")
        var ids: [LetterID] = []

        func validate() throws {
            try checkChoice(choice, ids)
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                let steps = try await perContext(choice, ids, tools, limit: limit) { context, letters in
                    try await tools.desk.replay(of: context).replay(
                        letters, dryRun: dryRun, by: by, reason: reason)
                }
                for step in steps { printStep(step, step.outcome.name) }
                let failed = steps.count { $0.outcome.reason != nil || $0.outcome == .notTried }
                print("\(steps.count) letters, \(failed) still open\(dryRun ? "; nothing was changed" : "")")
                if failed > 0 { throw ExitCode(1) }
            }
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives up on dead letters for good: their events never take effect, also when they come again.")

        @Option(help: "A JSON file with settings.")
        var config: String?
        @OptionGroup var choice: Choice
        @Flag(help: "Lets a letter go that others of its key lie before.")
        var outOfOrder = false
        @Flag(help: "Says which they are, and changes nothing.")
        var dryRun = false
        @Option(help: "Why, for the record.")
        var reason: String
        @Option(help: "Who you are, for the record.")
        var by: String = NSUserName()
        @Option(help: "How many letters at most, where they are chosen by options.")
        var limit = 1000
        @Argument(help: "Identifiers from `list`, in place of the options that choose.")
        var ids: [LetterID] = []

        func validate() throws {
            try checkChoice(choice, ids)
            if reason.trimmingCharacters(in: .whitespaces).isEmpty { throw ValidationError("--reason says nothing") }
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }

        func run() async throws {
            try await EventTools.with(config) { tools in
                guard !dryRun else {
                    let letters = try await chosen(choice, ids, tools, limit: limit)
                    for letter in letters {
                        TenantsTools.printRow([letter.letter.id.canonical, "would be discarded", letter.letter.reason])
                    }
                    print("\(letters.count) letters; nothing was changed")
                    return
                }
                let steps = try await perContext(choice, ids, tools, limit: limit) { context, letters in
                    try await tools.desk.replay(of: context).discard(
                        letters, reason: reason, by: by, outOfOrder: outOfOrder)
                }
                for step in steps { printStep(step, "discarded") }
                print("\(steps.count) letters")
            }
        }
    }
}

private func checkChoice(_ choice: EventsDeadLetters.Choice, _ ids: [LetterID]) throws {
    switch (ids.isEmpty, choice.isEmpty) {
    case (true, true):
        throw ValidationError("say which: identifiers, or options such as --tenant, --type or --key")
    case (false, false):
        throw ValidationError("give either identifiers or options that choose, not both")
    default: break
    }
}

private func chosen(
    _ choice: EventsDeadLetters.Choice, _ ids: [LetterID], _ tools: EventTools, limit: Int
) async throws -> [EventDesk.Letter] {
    guard ids.isEmpty else {
        var letters: [EventDesk.Letter] = []
        for id in ids { letters.append(try await tools.desk.show(id.value)) }
        return letters
    }
    return try await tools.desk.list(try await choice.filter(tools, limit: limit), of: choice.context)
}

/// Does something to the letters that are chosen, context by context.
private func perContext(
    _ choice: EventsDeadLetters.Choice, _ ids: [LetterID], _ tools: EventTools, limit: Int,
    _ act: (ContextName, DeadLetterReplay.Selection) async throws -> [DeadLetterReplay.Step]
) async throws -> [DeadLetterReplay.Step] {
    let letters = try await chosen(choice, ids, tools, limit: limit)
    var steps: [DeadLetterReplay.Step] = []
    for context in tools.desk.contexts {
        let own = letters.filter { $0.context == context }
        if !own.isEmpty { steps += try await act(context, .letters(own.map(\.letter.id))) }
    }
    return steps
}

private func printStep(_ step: DeadLetterReplay.Step, _ outcome: String) {
    TenantsTools.printRow([
        step.letter.id.canonical, outcome, step.unparked ? "the events of its key flow again" : nil,
        step.outcome.reason,
    ])
}

/// A value of the API's shape on one line.
func printJSON<Value>(_ value: Value, as shape: Shape<Value>) {
    var writer = JSONWriter()
    shape.encode(value, into: &writer)
    print(String(decoding: writer.bytes, as: UTF8.self))
}
