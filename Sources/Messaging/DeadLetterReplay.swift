package import Foundation
package import Kafka
import Kernel
package import Logging
import Postgres
package import Tenancy

/// Sends dead letters through again: incoming ones through their reaction and inbox, outgoing ones to the broker.
package struct DeadLetterReplay: Sendable {
    package let deadLetters: DeadLetters
    private let inbox: Inbox
    private let subscriptions: SubscriptionTable
    private let producer: KafkaProducer?

    /// Which letters are meant.
    package enum Selection: Sendable {
        /// The open letters of a key, in order.
        case key(EventKey)
        /// The one of them that the others wait behind.
        case first(EventKey)
        /// Those of the same key in the order they came to lie here, whatever order they are given in.
        case letters([UUID])
    }

    package enum Outcome: Hashable, Sendable {
        case processed
        /// The event had taken effect before, so nothing happened now.
        case duplicate
        case published
        /// It fails still; letters of its key behind it were not tried.
        case failed(String)
        /// It comes behind one of its key that failed.
        case notTried

        var isThrough: Bool {
            switch self {
            case .processed, .duplicate, .published: true
            case .failed, .notTried: false
            }
        }
    }

    /// What became of one letter, or would.
    package struct Step: Sendable {
        package let letter: DeadLetter
        package let outcome: Outcome
        /// Whether the letter's key is free again, this being its last letter.
        package var unparked = false
    }

    package enum Failure: Error, Hashable, CustomStringConvertible {
        case unknown(UUID)
        case resolvedBefore(UUID)
        /// An open letter of the same key comes before it.
        case outOfOrder(UUID, behind: UUID)

        package var description: String {
            switch self {
            case .unknown(let id): "there is no dead letter \(id.canonical) in this context; see `list`"
            case .resolvedBefore(let id): "dead letter \(id.canonical) was replayed or discarded before"
            case .outOfOrder(let id, let other):
                "dead letter \(id.canonical) waits behind \(other.canonical) of the same key; begin with that one"
            }
        }
    }

    /// - Parameter producer: for letters that the broker refused; without one they fail.
    package init(
        context role: ContextRole, subscriptions: [Subscription], dataPlane: DataPlane,
        in databases: @escaping @Sendable () async throws -> [DatabaseID], producer: KafkaProducer?, logger: Logger
    ) {
        deadLetters = DeadLetters(schema: role.schema, dataPlane: dataPlane, in: databases, logger: logger)
        inbox = Inbox(role: role, dataPlane: dataPlane, logger: logger)
        self.subscriptions = SubscriptionTable(subscriptions)
        self.producer = producer
    }

    /// Replays letters in order; of each key no further than the first that fails, and lets the key go behind its last.
    ///
    /// - Parameter dryRun: changes nothing and says what would happen: reactions run in transactions that are rolled back,
    ///   each by itself, so that one which builds on the effect of another before it may be judged too harshly.
    package func replay(
        _ selection: Selection, dryRun: Bool = false, by actor: String, reason: String? = nil
    ) async throws -> [Step] {
        var steps: [Step] = []
        while true {
            let more = try await replayOnce(selection, dryRun, actor, reason)
            steps += more
            // What came behind while the others were replayed has its turn as well.
            guard case .key = selection, !dryRun, let last = more.last, !last.unparked, last.outcome.isThrough else {
                return steps
            }
        }
    }

    private func replayOnce(
        _ selection: Selection, _ dryRun: Bool, _ actor: String, _ reason: String?
    ) async throws -> [Step] {
        var steps: [Step] = []
        for letters in try await resolve(selection, outOfOrder: false) {
            var isBlocked = false
            for located in letters {
                let letter = located.letter
                guard !isBlocked else {
                    steps.append(Step(letter: letter, outcome: .notTried))
                    continue
                }
                let outcome = try await attempt(letter, dryRun: dryRun)
                var step = Step(letter: letter, outcome: outcome)
                if case .failed(let why) = outcome {
                    isBlocked = letter.eventKey != nil
                    if !dryRun { try await deadLetters.note(why, of: located, by: actor) }
                } else if !dryRun {
                    step.unparked = try await deadLetters.close(located, as: .replayed, by: actor, reason: reason)
                }
                steps.append(step)
            }
        }
        return steps
    }

    /// Gives up on letters for good: their events never take effect, also when they come again.
    ///
    /// - Parameter outOfOrder: whether a letter may go that others of its key lie before.
    package func discard(
        _ selection: Selection, reason: String, by actor: String, outOfOrder: Bool = false
    ) async throws -> [Step] {
        var steps: [Step] = []
        for letters in try await resolve(selection, outOfOrder: outOfOrder) {
            for located in letters {
                let reactions = subscriptions.to(located.letter.eventType ?? "").map(\.reaction)
                let unparked = try await deadLetters.close(
                    located, as: .discarded, by: actor, reason: reason, reactions: reactions)
                steps.append(Step(letter: located.letter, outcome: .processed, unparked: unparked))
            }
        }
        return steps
    }

    // MARK: Selecting

    /// The letters by key, each key's in order.
    private func resolve(_ selection: Selection, outOfOrder: Bool) async throws -> [[DeadLetters.Located]] {
        switch selection {
        case .key(let key): return [try await deadLetters.open(key)]
        case .first(let key): return [Array(try await deadLetters.open(key, limit: 1).prefix(1))]
        case .letters(let ids):
            var chosen: [DeadLetters.Located] = []
            for id in ids {
                guard let found = try await deadLetters.find(id) else { throw Failure.unknown(id) }
                guard found.letter.resolvedAt == nil else { throw Failure.resolvedBefore(id) }
                if !chosen.contains(where: { $0.letter.id == id }) { chosen.append(found) }
            }
            var groups: [[DeadLetters.Located]] = []
            var seen: Set<EventKey> = []
            for found in chosen {
                guard let key = found.letter.eventKey else {
                    groups.append([found])
                    continue
                }
                guard seen.insert(key).inserted else { continue }
                groups.append(try await inOrder(chosen.filter { $0.letter.eventKey == key }, of: key, outOfOrder))
            }
            return groups
        }
    }

    private func inOrder(
        _ chosen: [DeadLetters.Located], of key: EventKey, _ outOfOrder: Bool
    ) async throws -> [DeadLetters.Located] {
        let ids = Set(chosen.map(\.letter.id))
        var ordered: [DeadLetters.Located] = []
        var before: UUID?
        for open in try await deadLetters.open(key) {
            guard ids.contains(open.letter.id) else {
                before = before ?? open.letter.id
                continue
            }
            if let before, !outOfOrder { throw Failure.outOfOrder(open.letter.id, behind: before) }
            ordered.append(open)
        }
        return ordered
    }

    // MARK: Trying

    private func attempt(_ letter: DeadLetter, dryRun: Bool) async throws -> Outcome {
        switch letter.direction {
        case .incoming: try await takeIn(letter, dryRun: dryRun)
        case .outgoing: await publish(letter, dryRun: dryRun)
        }
    }

    private func takeIn(_ letter: DeadLetter, dryRun: Bool) async throws -> Outcome {
        let event: ReceivedEvent
        do {
            event = try ReceivedEvent(headers: letter.headers, value: letter.value)
        } catch {
            return .failed("the message can't be processed as it is: \(error.reason)")
        }
        let reactions = subscriptions.readings(of: event.type, alsoAs: event.alsoAs).filter {
            letter.reaction == nil || $0.subscription.reaction == letter.reaction
        }
        guard !reactions.isEmpty else {
            return .failed("nothing in this context reacts to \(event.type) under the name it had")
        }
        var outcomes: Set<Inbox.Outcome> = []
        for (reaction, reading) in reactions {
            guard letter.topic == reaction.topic, event.source == reaction.source else {
                return .failed("\(event.type) comes from \(reaction.source) on \(reaction.topic) alone")
            }
            switch reading {
            case .readable: break
            case .comesOtherwise:
                outcomes.insert(.duplicate)
                continue
            case .unknown: return .failed("\(event.type) is a version that this program can't read")
            }
            do {
                outcomes.insert(try await inbox.process(event, by: reaction, mode: dryRun ? .trial : .replay))
            } catch let error as DataPlaneUnavailable {
                throw error
            } catch {
                if Task.isCancelled { throw error }
                return .failed("\(error)")
            }
        }
        return outcomes.contains(.processed) ? .processed : .duplicate
    }

    private func publish(_ letter: DeadLetter, dryRun: Bool) async -> Outcome {
        guard !dryRun else { return .published }
        guard let producer else { return .failed("there is no producer to publish it with") }
        let record = KafkaRecord(topic: letter.topic, key: letter.key, value: letter.value, headers: letter.headers)
        switch await producer.produce([record])[0] {
        case .success: return .published
        case .failure(let error): return .failed("the broker refused it again: \(error)")
        }
    }
}
