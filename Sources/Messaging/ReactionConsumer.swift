import Failpoints
package import Kafka
package import Logging
import Metrics
import ServiceLifecycle
package import Tenancy

/// Takes in the events that one context reacts to, as one consumer group over all its processes.
///
/// Messages of different keys are worked on side by side, those of one key in order. An offset is stored once everything
/// before it has committed in the inbox or lies among the dead letters: a process that dies in between reads messages
/// again and finds them duplicates.
package struct ReactionConsumer: Service {
    private let consumer: KafkaConsumer
    private let intake: EventIntake
    private let replay: DeadLetterReplay
    private let queue: IntakeQueue
    private let streams: StreamWatch
    private let configuration: Configuration
    private let meters: ConsumerMeters
    private let logger: Logger

    package struct Configuration: Sendable {
        /// How often an event is tried that fails for a reason of its own, before its key is parked.
        package var attempts = 5
        /// The same for one that runs into time limits or other transactions, which may not be its own fault.
        package var contendedAttempts = 50
        /// How long the registry is given to hear of an event's tenant.
        package var unknownTenantPatience = Duration.seconds(20)
        package var batch = 500
        /// Pieces of work at the same time; each holds a connection while its transaction runs.
        package var concurrency = 12
        /// Events of one tenant in one transaction, for reactions that take several.
        package var together = 50
        /// How many messages of one partition are read ahead of its oldest unfinished one.
        package var window = 2000
        /// How often offsets are committed and written down.
        package var beat = Duration.seconds(1)
        /// How often keys are looked at that wait for a version or a tenant to become known.
        package var reconsideration = Duration.seconds(30)

        package init() {}
    }

    /// - Parameter databases: where keys of this context can be parked.
    package init(
        context role: ContextRole, subscriptions: [Subscription], consumer: KafkaConsumer, dataPlane: DataPlane,
        in databases: (@Sendable () async throws -> [DatabaseID])? = nil,
        configuration: Configuration = Configuration(), logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: "context"] = "\(role.schema)"
        self.logger = logger
        self.consumer = consumer
        self.configuration = configuration
        let table = SubscriptionTable(subscriptions)
        replay = DeadLetterReplay(
            context: role, subscriptions: subscriptions, dataPlane: dataPlane,
            in: databases ?? { [dataPlane.fleet.control] }, producer: nil, logger: logger)
        intake = EventIntake(
            inbox: Inbox(role: role, dataPlane: dataPlane, logger: logger), deadLetters: replay.deadLetters,
            subscriptions: table,
            patience: EventIntake.Patience(
                attempts: configuration.attempts, contendedAttempts: configuration.contendedAttempts,
                unknownTenant: configuration.unknownTenantPatience),
            meters: IntakeMeters(context: role.schema), logger: logger)
        let concurrency = max(1, configuration.concurrency)
        queue = IntakeQueue(
            IntakeSchedule.Limits(
                concurrency: concurrency, ofOneTenant: max(1, concurrency * 3 / 4),
                together: max(1, configuration.together), window: configuration.window),
            companions: { table.companions(of: $0) }, consumer: consumer)
        meters = ConsumerMeters(context: role.schema)
        streams = StreamWatch(
            gaps: StreamGaps(schema: role.schema, dataPlane: dataPlane, logger: logger), consumer: consumer,
            meters: meters, logger: logger)
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask { await takeOver() }
                for _ in 0..<max(1, configuration.concurrency) { group.addTask { await work() } }
                group.addTask { await keepBooks() }
                group.addTask { await reconsider() }
                await read()
                queue.close()
                group.cancelAll()
            }
        }
        await streams.settle()
    }

    /// Begins with partitions as they come, once it is clear where.
    private func takeOver() async {
        for await partitions in consumer.arrivals {
            var backoff = Backoff()
            while !Task.isCancelled {
                do {
                    try await intake.meetStrangers()
                    try await streams.begin(partitions)
                    break
                } catch {
                    logger.warning("can't begin with partitions yet", metadata: ["error": "\(error)"])
                }
                try? await backoff.wait()
            }
        }
    }

    private func read() async {
        do {
            while !Task.isCancelled {
                let messages = try await consumer.messages(maximum: configuration.batch)
                guard !messages.isEmpty else { return }
                queue.add(messages)
                meters.inFlight.record(queue.inFlight)
            }
        } catch is CancellationError {
            // Shutting down: what is unfinished keeps its offset and comes again.
        } catch {
            logger.error("consumer has ended", metadata: ["error": "\(error)"])
        }
    }

    private func work() async {
        while let piece = await queue.next() {
            // One whose partition has gone meanwhile is somebody else's now.
            let verdicts = await intake.settle(piece) { consumer.owns($0) }
            for position in queue.finish(piece, verdicts) {
                do {
                    try await Failpoint.reach("consumer.before-store")
                    if consumer.store(position) { streams.stored(position) }
                    try await Failpoint.reach("consumer.after-store")
                } catch {
                    logger.warning("an offset was not stored", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    /// Says how far things are.
    private func keepBooks() async {
        var beats = 0
        while !Task.isCancelled {
            try? await Task.sleep(for: configuration.beat)
            await streams.settle()
            await streams.reviewGaps()
            beats += 1
            // Asks the broker for what it has, which is not to be had for nothing.
            if beats % 10 == 0 { await streams.measureLag() }
            meters.inFlight.record(queue.inFlight)
        }
    }

    /// Replays keys whose wait has an end: their version or their tenant may have become known.
    private func reconsider() async {
        var waiting: [DatabaseID] = []
        var known: [DatabaseID: [ParkedKey]] = [:]
        while !Task.isCancelled {
            if waiting.isEmpty {
                waiting = (try? await replay.deadLetters.databases()) ?? []
                known = known.filter { waiting.contains($0.key) }
            }
            // A thousand silos do not have to keep a thousand connections open for this.
            for database in waiting.prefix(25) {
                do {
                    let parked = try await replay.deadLetters.parkedKeys.list(in: database)
                    known[database] = parked
                    for key in parked { try await reconsider(key) }
                } catch {
                    logger.debug("parked keys are looked at later", metadata: ["error": "\(error)"])
                }
            }
            waiting.removeFirst(min(waiting.count, 25))
            meters.parked(known.values.flatMap(\.self))
            try? await Task.sleep(for: configuration.reconsideration)
        }
    }

    private func reconsider(_ key: ParkedKey) async throws {
        switch key.next {
        case nil:
            // Whoever closed the last letter ended before he could let the key go.
            _ = try await replay.deadLetters.parkedKeys.release(key.key, in: key.database)
        case .waiting: try await release(key)
        case .unknownVersion, .unknownTenant:
            // A trial first: what fails still is no news, and leaves no trace.
            let trial = try await replay.replay(.first(key.key), dryRun: true, by: "atrium")
            if trial.first?.outcome.isThrough == true { try await release(key) }
        case .failed, .rejected, .refused: break
        }
    }

    private func release(_ key: ParkedKey) async throws {
        let steps = try await replay.replay(.key(key.key), by: "atrium", reason: "what it waited for is there")
        logger.notice(
            "events that waited were taken in",
            metadata: [
                "key": "\(key.key)", "tenant": "\(key.key.tenantID)", "events": "\(steps.count)",
                "is_free": "\(steps.last?.unparked ?? false)",
            ])
    }
}
