package import Kafka
package import Logging
import ServiceLifecycle
package import Tenancy

/// Takes in the events that one context reacts to, as one consumer group over all its processes.
///
/// An offset is stored after the inbox has committed, or after the message lies among the dead letters: a process that
/// dies in between reads the message again and finds it a duplicate. One partition's messages are taken in order.
package struct ReactionConsumer: Service {
    private let consumer: KafkaConsumer
    private let intake: EventIntake
    private let configuration: Configuration
    private let logger: Logger

    package struct Configuration: Sendable {
        /// How often an event is tried that fails for a reason of its own, before it goes to the dead letters.
        package var attempts = 5
        /// The same for one that runs into time limits or other transactions, which may not be its own fault.
        package var contendedAttempts = 50
        /// How long the registry is given to hear of an event's tenant.
        package var unknownTenantPatience = Duration.seconds(20)
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
        intake = EventIntake(
            inbox: Inbox(role: role, dataPlane: dataPlane, logger: logger),
            deadLetters: DeadLetters(
                schema: role.schema, dataPlane: dataPlane, in: { [dataPlane.fleet.control] }, logger: logger),
            subscriptions: SubscriptionTable(subscriptions),
            patience: EventIntake.Patience(
                attempts: configuration.attempts, contendedAttempts: configuration.contendedAttempts,
                unknownTenant: configuration.unknownTenantPatience),
            meters: IntakeMeters(context: role.schema), logger: logger)
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
                        guard await intake.settle(message) else { return }
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
}
