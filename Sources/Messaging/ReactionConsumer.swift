package import Kafka
import Kernel
package import Logging
import Metrics
import Postgres
import ServiceLifecycle
package import Tenancy

/// Takes in the events that one context reacts to, as one consumer group over all its processes.
///
/// An offset is stored after the inbox has committed, or after the message lies among the dead letters: a process that
/// dies in between reads the message again and finds it a duplicate. One partition's messages are taken in order.
package struct ReactionConsumer: Service {
    private let consumer: KafkaConsumer
    private let inbox: Inbox
    private let deadLetters: DeadLetters
    private let subscriptions: [String: [Subscription]]
    private let configuration: Configuration
    private let logger: Logger
    private let meters: Meters

    package struct Configuration: Sendable {
        /// How often an event is tried that fails for a reason of its own, before it goes to the dead letters.
        package var attempts = 5
        /// The same for one that runs into time limits or other transactions, which may not be its own fault.
        package var contendedAttempts = 50
        package var batch = 200

        package init() {}
    }

    package init(
        context role: ContextRole, subscriptions: [Subscription], consumer: KafkaConsumer, dataPlane: DataPlane,
        configuration: Configuration = Configuration(), logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: "context"] = "\(role.schema)"
        self.logger = logger
        self.consumer = consumer
        self.configuration = configuration
        self.subscriptions = Dictionary(
            grouping: subscriptions.flatMap { subscription in subscription.types.map { ($0, subscription) } }, by: \.0
        ).mapValues { $0.map(\.1) }
        inbox = Inbox(role: role, dataPlane: dataPlane, logger: logger)
        deadLetters = DeadLetters(
            schema: role.schema, dataPlane: dataPlane, in: { [dataPlane.fleet.control] }, logger: logger)
        meters = Meters(context: role.schema)
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            do {
                while !Task.isCancelled {
                    let messages = try await consumer.messages(maximum: configuration.batch)
                    guard !messages.isEmpty else { break }
                    await process(messages)
                }
            } catch is CancellationError {
                // Shutting down: what is unfinished keeps its offset and comes again.
            } catch {
                logger.error("consumer has ended", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Partitions side by side, the messages of each in order.
    private func process(_ messages: [KafkaMessage]) async {
        let lanes = Dictionary(grouping: messages) { Lane(topic: $0.topic, partition: $0.partition) }
        await withTaskGroup(of: Void.self) { group in
            for messages in lanes.values {
                group.addTask {
                    for message in messages {
                        guard await settle(message) else { return }
                        consumer.store(message)
                    }
                }
            }
        }
    }

    private struct Lane: Hashable {
        let topic: String
        let partition: Int32
    }

    /// Sees a message through to its end; false where the process is to stop before that.
    private func settle(_ message: KafkaMessage) async -> Bool {
        let event: ReceivedEvent
        do {
            event = try ReceivedEvent(message)
        } catch {
            return await bury(message, reaction: nil, reason: error.reason, attempts: 1)
        }
        for subscription in subscriptions[event.type] ?? [] {
            guard message.topic == subscription.topic, event.source == subscription.source else {
                let reason = "\(event.type) comes from \(subscription.source) on \(subscription.topic) alone"
                return await bury(message, reaction: nil, reason: reason, attempts: 1)
            }
            guard await settle(event, from: message, by: subscription) else { return false }
        }
        return true
    }

    private func settle(_ event: ReceivedEvent, from message: KafkaMessage, by subscription: Subscription) async -> Bool
    {
        var attempts = 0
        var contended = 0
        var backoff = Backoff()
        while true {
            do {
                switch try await inbox.process(event, by: subscription) {
                case .processed: meters.processed.increment()
                case .duplicate: meters.duplicates.increment()
                }
                return true
            } catch let rejection as Rejection {
                return await bury(
                    message, reaction: subscription.reaction, reason: rejection.reason, attempts: attempts + 1)
            } catch let unknown as UnknownTenant {
                return await bury(
                    message, reaction: subscription.reaction, reason: "\(unknown)", attempts: attempts + 1)
            } catch {
                guard !Task.isCancelled else { return false }
                switch Blame(error) {
                case .event: attempts += 1
                case .contention: contended += 1
                case .database: break
                }
                meters.retries.increment()
                logger.warning(
                    "event failed",
                    metadata: [
                        "event": "\(event.id)", "event_type": "\(event.type)", "tenant": "\(event.tenantID)",
                        "correlation": "\(event.correlation.id)", "reaction": "\(subscription.reaction)",
                        "attempt": "\(attempts)", "error": "\(error)",
                    ])
                if attempts >= configuration.attempts || contended >= configuration.contendedAttempts {
                    return await bury(
                        message, reaction: subscription.reaction, reason: "\(error)", attempts: attempts + contended)
                }
            }
            do {
                try await backoff.wait()
            } catch {
                return false
            }
        }
    }

    /// What a failed try says about the event.
    private enum Blame {
        case event
        case contention
        /// A database that is away says nothing against the event: it is tried until the database is back.
        case database

        init(_ error: any Error) {
            switch error {
            case let unavailable as DataPlaneUnavailable:
                self = unavailable.cause.code == .timeout ? .contention : .database
            case is StaleVersion: self = .contention
            case let error as PostgresError: self = error.isRetriable ? .contention : .event
            default: self = .event
            }
        }
    }

    /// Keeps the message among the dead letters; tries until that is done, since the offset must not pass it before.
    private func bury(_ message: KafkaMessage, reaction: String?, reason: String, attempts: Int) async -> Bool {
        var backoff = Backoff()
        let letter = DeadLetter.incoming(message, reaction: reaction, reason: reason, attempts: attempts)
        while true {
            do {
                try await deadLetters.keep(letter)
                meters.deadLetters.increment()
                return true
            } catch {
                logger.warning("a dead letter could not be kept yet", metadata: ["error": "\(error)"])
            }
            do {
                try await backoff.wait()
            } catch {
                return false
            }
        }
    }

    private struct Meters: Sendable {
        let processed: Counter
        let duplicates: Counter
        let retries: Counter
        let deadLetters: Counter

        init(context: String) {
            func counter(_ name: String) -> Counter {
                Counter(label: "atrium_inbox_\(name)_total", dimensions: [("context", context)])
            }
            processed = counter("processed")
            duplicates = counter("duplicates")
            retries = counter("retries")
            deadLetters = counter("dead_letters")
        }
    }
}
