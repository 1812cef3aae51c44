package import Foundation
package import Kafka
import Kernel
package import Logging
package import Tenancy

/// Sends a dead letter through again: an incoming one through its reaction and inbox, an outgoing one to the broker.
package struct DeadLetterReplay: Sendable {
    private let deadLetters: DeadLetters
    private let inbox: Inbox
    private let subscriptions: [Subscription]
    private let producer: KafkaProducer

    package enum Outcome: Hashable, Sendable {
        case processed
        /// The event had taken effect before, so nothing happened now.
        case duplicate
        case published
    }

    package enum Failure: Error, Hashable, CustomStringConvertible {
        case unknown(UUID)
        case alreadyReplayed(UUID)
        case unreadable(String)
        case noReaction(String)
        case refused(String)

        package var description: String {
            switch self {
            case .unknown(let id): "there is no dead letter \(id.canonical) in this context; see `list`"
            case .alreadyReplayed(let id): "dead letter \(id.canonical) was replayed before"
            case .unreadable(let reason): "the message can't be processed as it is: \(reason)"
            case .noReaction(let type): "nothing in this context reacts to \(type) under the name it had"
            case .refused(let reason): "the broker refused it again: \(reason)"
            }
        }
    }

    package init(
        context role: ContextRole, subscriptions: [Subscription], dataPlane: DataPlane,
        in databases: @escaping @Sendable () async throws -> [DatabaseID], producer: KafkaProducer, logger: Logger
    ) {
        deadLetters = DeadLetters(schema: role.schema, dataPlane: dataPlane, in: databases, logger: logger)
        inbox = Inbox(role: role, dataPlane: dataPlane, logger: logger)
        self.subscriptions = subscriptions
        self.producer = producer
    }

    /// Marks the letter as replayed only once it has gone through.
    package func replay(_ id: UUID) async throws -> Outcome {
        guard let (letter, database) = try await deadLetters.find(id) else { throw Failure.unknown(id) }
        guard letter.replayedAt == nil else { throw Failure.alreadyReplayed(id) }
        let outcome =
            switch letter.direction {
            case .incoming: try await takeIn(letter)
            case .outgoing: try await publish(letter)
            }
        try await deadLetters.markReplayed(id, in: database)
        return outcome
    }

    private func takeIn(_ letter: DeadLetter) async throws -> Outcome {
        let event: ReceivedEvent
        do {
            event = try ReceivedEvent(headers: letter.headers, value: letter.value)
        } catch {
            throw Failure.unreadable(error.reason)
        }
        let reactions = subscriptions.filter {
            $0.types.contains(event.type) && (letter.reaction == nil || $0.reaction == letter.reaction)
        }
        guard !reactions.isEmpty else { throw Failure.noReaction(event.type) }
        var outcomes: Set<Inbox.Outcome> = []
        for reaction in reactions { outcomes.insert(try await inbox.process(event, by: reaction)) }
        return outcomes.contains(.processed) ? .processed : .duplicate
    }

    private func publish(_ letter: DeadLetter) async throws -> Outcome {
        let record = KafkaRecord(topic: letter.topic, key: letter.key, value: letter.value, headers: letter.headers)
        switch await producer.produce([record])[0] {
        case .success: return .published
        case .failure(let error): throw Failure.refused("\(error)")
        }
    }
}
