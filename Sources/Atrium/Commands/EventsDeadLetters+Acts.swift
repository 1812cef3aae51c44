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
                Of each key no further than the first that fails again; the command then ends with 1. An event that \
                took effect before has none now.
                """)

        @OptionGroup var act: Act
        @Option(help: "Why, for the record.")
        var reason: String?

        func validate() throws { try checkRecord(by: act.by, reason: reason) }

        func run() async throws {
            try await EventTools.with(act.config) { tools in
                let (done, open) = try await act.perKey(tools) { context, letters in
                    try await tools.desk.replay(of: context).replay(
                        letters, dryRun: act.dryRun, by: act.by, reason: reason)
                } name: {
                    $0.outcome.name
                }
                print("\(done + open) letters, \(open) still open\(act.dryRun ? "; nothing was changed" : "")")
                if open > 0 { throw ExitCode(1) }
            }
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Gives up on dead letters for good: their events never take effect, also when they come again.")

        @OptionGroup var act: Act
        @Flag(help: "Lets a letter go that others of its key lie before.")
        var outOfOrder = false
        @Option(help: "Why, for the record.")
        var reason: String

        func validate() throws { try checkRecord(by: act.by, reason: reason) }

        func run() async throws {
            try await EventTools.with(act.config) { tools in
                guard !act.dryRun else {
                    let letters = try await act.chosen(tools)
                    for letter in letters {
                        TenantsTools.printRow([letter.letter.id.canonical, "would be discarded", letter.letter.reason])
                    }
                    print("\(letters.count) letters; nothing was changed")
                    return
                }
                let (done, open) = try await act.perKey(tools) { context, letters in
                    try await tools.desk.replay(of: context).discard(
                        letters, reason: reason, by: act.by, outOfOrder: outOfOrder)
                } name: { _ in
                    "discarded"
                }
                print("\(done) letters discarded, \(open) not")
                if open > 0 { throw ExitCode(1) }
            }
        }
    }

    /// What everything has in common that is done to letters.
    struct Act: ParsableArguments {
        @Option(help: "A JSON file with settings.")
        var config: String?
        @OptionGroup var choice: Choice
        @Flag(help: "Says what would happen, and changes nothing.")
        var dryRun = false
        @Option(help: "Who you are, for the record.")
        var by: String = NSUserName()
        @Option(help: "How many letters at most, where they are chosen by options.")
        var limit = 1000
        @Argument(help: "Identifiers from `list`, in place of the options that choose.")
        var ids: [LetterID] = []

        func validate() throws {
            switch (ids.isEmpty, choice.isEmpty) {
            case (true, true):
                throw ValidationError("say which: identifiers, or options such as --tenant, --type or --key")
            case (false, false):
                throw ValidationError("give either identifiers or options that choose, not both")
            default: break
            }
            if !(1...10_000).contains(limit) { throw ValidationError("--limit is not from 1 to 10000") }
        }
    }
}

/// What goes into the record of actions, which nobody can change afterwards.
func checkRecord(by actor: String, reason: String?) throws {
    func isLine(_ text: String, _ most: Int) -> Bool {
        !text.allSatisfy(\.isWhitespace) && text.count <= most && EventLine.harmless(text) == text
    }
    if !isLine(actor, 100) { throw ValidationError("--by is not one line of 1 to 100 characters") }
    if let reason, !isLine(reason, 500) {
        throw ValidationError("--reason is not one line of 1 to 500 characters that says something")
    }
}

extension EventsDeadLetters.Act {
    func chosen(_ tools: EventTools) async throws -> [EventDesk.Letter] {
        guard ids.isEmpty else {
            var letters: [EventDesk.Letter] = []
            for id in ids { letters.append(try await tools.desk.show(id.value)) }
            return letters
        }
        return try await tools.desk.list(try await choice.filter(tools, limit: limit), of: choice.context)
    }

    /// Does something to the letters that are chosen, key by key, so that one that can't be keeps no other back; answers how
    /// many went through and how many did not.
    func perKey(
        _ tools: EventTools,
        _ act: (ContextName, DeadLetterReplay.Selection) async throws -> [DeadLetterReplay.Step],
        name: (DeadLetterReplay.Step) -> String
    ) async throws -> (done: Int, open: Int) {
        struct Group: Hashable {
            let context: ContextName
            let key: EventKey?
            /// Of one that has no key.
            let alone: UUID?
        }
        let letters = try await chosen(tools)
        var order: [Group] = []
        var groups: [Group: [UUID]] = [:]
        for letter in letters {
            let key = letter.letter.eventKey
            let group = Group(context: letter.context, key: key, alone: key == nil ? letter.letter.id : nil)
            if groups[group] == nil { order.append(group) }
            groups[group, default: []].append(letter.letter.id)
        }
        var (done, open) = (0, 0)
        for group in order {
            let ids = groups[group] ?? []
            do {
                for step in try await act(group.context, .letters(ids)) {
                    printStep(step, name(step))
                    if step.outcome.reason != nil || step.outcome == .notTried { open += 1 } else { done += 1 }
                }
            } catch let failure as DeadLetterReplay.Failure {
                TenantsTools.printRow([ids.first?.canonical, "not done", nil, "\(failure)"])
                open += ids.count
            }
        }
        if letters.count == limit { print("There may be more than --limit \(limit): run it again.") }
        return (done, open)
    }
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
    print(EventLine.escaped(String(decoding: writer.bytes, as: UTF8.self)))
}
