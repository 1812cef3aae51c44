package import Kafka
package import Logging
import ServiceLifecycle
package import Tenancy

/// How relays go about their work.
package struct RelayConfiguration: Sendable {
    /// How long the others wait before they take over from a process that died. Renewed three times as often.
    package var lease = Duration.seconds(3)
    /// How often an outbox is looked at when nobody nudges, as long as there are few of them.
    package var heartbeat = Duration.seconds(1)
    /// How many outboxes are looked at in a heartbeat: where there are more, each waits for its turn.
    package var outboxesInHeartbeat = 25
    /// How long to wait for a transaction that holds back events which have committed after it began: most end
    /// within milliseconds, and one that stays open must not be asked about all the time.
    var settling = Backoff(first: .milliseconds(2), limit: .milliseconds(250))
    /// How soon after a look the next may follow: what is committed meanwhile is read together. Full pages don't wait.
    var pace = Duration.milliseconds(3)
    /// How long a cursor may wait for the next look to be saved with.
    var saving = Duration.milliseconds(50)
    /// How often what waits is counted.
    var sampling = Duration.seconds(5)
    var limits = ShardLimits()

    package init() {}
}

/// Publishes one context's outboxes, one relay for each database that has one, and shares the shards of each with the
/// other processes that do so.
///
/// A nudge reaches its relay at once. One that got lost with its process is made up for by the heartbeat, which goes
/// round all databases: with more of them than `outboxesInHeartbeat`, a round takes as many heartbeats as it must, so
/// that a thousand silos do not keep a thousand connections open.
package struct RelayFleet: Service {
    private let schema: String
    private let databases: @Sendable () async throws -> [DatabaseID]
    private let dataPlane: DataPlane
    private let producer: KafkaProducer
    private let signal: RelaySignal
    private let notices: OutboxNotices
    private let configuration: RelayConfiguration
    private let metrics: RelayMetrics
    private let logger: Logger

    package init(
        schema: String, in databases: @escaping @Sendable () async throws -> [DatabaseID], dataPlane: DataPlane,
        producer: KafkaProducer, signal: RelaySignal, notices: OutboxNotices,
        configuration: RelayConfiguration = RelayConfiguration(), logger: Logger
    ) {
        self.schema = schema
        self.databases = databases
        self.dataPlane = dataPlane
        self.producer = producer
        self.signal = signal
        self.notices = notices
        self.configuration = configuration
        self.logger = logger
        metrics = RelayMetrics(schema: schema)
    }

    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await goRound() }
            let relays = await cancelWhenGracefulShutdown { await publish() }
            // Lets other processes take over at once, instead of waiting until the leases run out.
            await withDiscardingTaskGroup { group in
                for relay in relays { group.addTask { await relay.release() } }
            }
            group.cancelAll()
        }
    }

    /// Nudges every outbox in turn.
    private func goRound() async {
        var waiting: [DatabaseID] = []
        while !Task.isCancelled {
            if waiting.isEmpty {
                do {
                    waiting = try await databases()
                } catch {
                    logger.debug("outboxes are looked for again", metadata: ["error": "\(error)"])
                }
            }
            for database in waiting.prefix(configuration.outboxesInHeartbeat) {
                signal.nudge(database, because: [])
            }
            waiting.removeFirst(min(waiting.count, configuration.outboxesInHeartbeat))
            try? await Task.sleep(for: configuration.heartbeat)
        }
    }

    /// Answers the relays that were at work, once it is cancelled and they are done.
    private func publish() async -> [Relay] {
        var relays: [DatabaseID: Relay] = [:]
        await withDiscardingTaskGroup { group in
            for await _ in signal.nudges {
                for (database, reason) in signal.takeNudged() {
                    if let known = relays[database] {
                        known.mailbox.post(.visit(reason))
                        continue
                    }
                    let relay = Relay(
                        schema: schema, in: database, dataPlane: dataPlane, producer: producer, notices: notices,
                        configuration: configuration, metrics: metrics, logger: logger)
                    relays[database] = relay
                    relay.mailbox.post(.visit(reason))
                    group.addTask { await relay.run() }
                }
            }
            for relay in relays.values { relay.mailbox.finish() }
        }
        return Array(relays.values)
    }
}
