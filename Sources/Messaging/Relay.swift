import Foundation
import Kafka
import Kernel
import Logging
import Postgres
import Tenancy

/// Publishes one outbox, of one context in one database, in the order of commits, at least once: the shards of it that
/// are this process's to publish.
///
/// A cursor moves only after the broker has acknowledged; a relay that dies between the two publishes again, and the
/// consumers' inboxes drop what they know.
struct Relay: Sendable {
    let database: DatabaseID
    let mailbox = RelayMailbox()
    let dataPlane: DataPlane
    let statements: RelayStatements
    private let sender: RelaySender
    let standing = RelayStanding()
    let notices: OutboxNotices
    let configuration: RelayConfiguration
    let metrics: RelayMetrics
    let logger: Logger

    init(
        schema: String, in database: DatabaseID, dataPlane: DataPlane, producer: KafkaProducer,
        notices: OutboxNotices, configuration: RelayConfiguration, metrics: RelayMetrics, logger: Logger
    ) {
        self.database = database
        self.dataPlane = dataPlane
        self.notices = notices
        self.configuration = configuration
        self.metrics = metrics
        statements = RelayStatements(schema: schema, owner: UUID(), lease: configuration.lease)
        var logger = logger
        logger[metadataKey: "context"] = "\(schema)"
        logger[metadataKey: "database"] = "\(database)"
        self.logger = logger
        sender = RelaySender(producer: producer, standing: standing, metrics: metrics, logger: logger)
    }

    /// What the rounds go by.
    struct Work {
        var books: RelayBooks
        /// What the database has been asked and has not answered yet.
        var journey: Journey?
        var renewedAt: ContinuousClock.Instant?
        var sampledAt: ContinuousClock.Instant?
        var timers: Set<RelayTimer> = []
        var settling: Backoff
        var again = Backoff()
        /// Whether there may be more to read than the database was asked for.
        var expectsMore = false
        /// When all of the outbox was looked at last.
        var lookedAt: ContinuousClock.Instant?
        /// Whether cursors have waited long enough for a look that they could be saved with.
        var mustSave = false
        /// Whether shards are to be asked for, though the lease is fresh.
        var wantsShards = false
        /// Whether a page has to be read again.
        var isStopped = false
        var isFailing = false
    }

    /// Attends to its letters until the task is cancelled or there will be no more.
    func run() async {
        var work = Work(books: RelayBooks(configuration.limits), settling: configuration.settling)
        await withDiscardingTaskGroup { group in
            for await _ in mailbox.wakes {
                let (reasons, answers) = take(&work)
                if let answers { await attend(to: answers, &work, &group) }
                await goOn(&work, &group)
                if reasons.contains(.ownCommit), !work.books.hasAll {
                    group.addTask { await notices.send(statements.schema, in: database) }
                }
            }
            group.cancelAll()
        }
        _ = take(&work)
        standing.leave(work.books.unsaved())
        metrics.took(nil, of: database)
    }

    typealias Answers = Result<[Rows], any Error>

    private func take(_ work: inout Work) -> (RelaySignal.Reason, Answers?) {
        var reasons: RelaySignal.Reason = []
        var answers: Answers?
        for letter in mailbox.take() {
            switch letter {
            case .visit(let reason):
                reasons.formUnion(reason)
                work.expectsMore = true
                if reason.contains(.vacancy) || work.books.lacksShards { work.wantsShards = true }
            case .answered(let given): answers = given
            case .sent(let shard, let epoch, let outcome):
                work.books.sent(shard, epoch, outcome)
                if case .stopped = outcome { work.isStopped = true }
            case .time(let timer):
                work.timers.remove(timer)
                switch timer {
                case .renewal, .pace: break
                case .saving: work.mustSave = true
                case .settling: work.expectsMore = true
                case .again:
                    work.expectsMore = true
                    work.isFailing = false
                }
            }
        }
        return (reasons, answers)
    }

    func attend(to answers: Answers, _ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        guard let journey = work.journey.take() else { return }
        do {
            let isUnsettled = try await land(journey, try answers.get(), &work)
            work.again = Backoff()
            if isUnsettled {
                wait(for: .settling, &work, &group)
            } else if !journey.round.readings.isEmpty {
                work.settling = configuration.settling
            }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("relay will try again", metadata: ["error": "\(error)"])
            // Only the cursors' rows count now: the lease may have gone, and a server that crashed may give numbers of
            // transactions again that were lost with it.
            work.books.holds([], among: work.books.members)
            work.renewedAt = nil
            work.isFailing = true
            wait(for: .again, &work, &group)
        }
    }

    /// Hands on what is read, and asks the database for more beside it.
    private func goOn(_ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        start(&work, &group)
        if work.journey == nil, !work.isFailing {
            if work.expectsMore {
                if work.lookedAt.map({ $0.duration(to: .now) < configuration.pace }) ?? false {
                    wait(for: .pace, &work, &group)
                } else {
                    work.books.expectMore()
                    work.expectsMore = false
                    work.lookedAt = .now
                }
            }
            if let round = round(work) {
                await depart(round, &work, &group)
            } else if !work.books.unsaved().isEmpty {
                wait(for: .saving, &work, &group)
            }
        }
        if work.isStopped {
            wait(for: .again, &work, &group)
            work.isStopped = false
        }
        if work.books.isSending { wait(for: .renewal, &work, &group) }
    }

    private func wait(for timer: RelayTimer, _ work: inout Work, _ group: inout DiscardingTaskGroup) {
        guard work.timers.insert(timer).inserted else { return }
        let time: Duration
        switch timer {
        case .renewal: time = configuration.lease / 3
        case .pace: time = configuration.pace
        case .saving: time = configuration.saving
        case .settling: time = work.settling.next()
        case .again: time = work.again.next()
        }
        group.addTask { [mailbox] in
            try? await Task.sleep(for: time)
            mailbox.post(.time(timer))
        }
    }

    private func start(_ work: inout Work, _ group: inout DiscardingTaskGroup) {
        guard let renewedAt = work.renewedAt, renewedAt.duration(to: .now) < configuration.lease else { return }
        for page in work.books.start() {
            work.settling = configuration.settling
            group.addTask {
                do {
                    let outcome = try await sender.send(page)
                    mailbox.post(.sent(shard: page.shard, epoch: page.epoch, outcome))
                } catch {
                    guard !Task.isCancelled else { return }
                    logger.warning("relay will publish again", metadata: ["error": "\(error)"])
                    mailbox.post(.sent(shard: page.shard, epoch: page.epoch, .stopped))
                }
            }
        }
    }

    /// Lets other processes take over at once, from where this one has come to.
    func release() async {
        do {
            var flight = RelayFlight()
            flight.add(statements.lock)
            let progress = standing.left.filter(\.letters.isEmpty)
            if !progress.isEmpty { flight.add(try statements.save(progress)) }
            for statement in statements.release { flight.add(statement) }
            _ = try await dataPlane.crossTenant(
                in: database, as: .worker(statements.schema), reason: .routine("release the relay's leases"),
                durability: .off, logger: logger, flight: flight.statements)
            await notices.send(statements.schema, in: database, because: .vacancy)
        } catch {
            logger.debug("the leases run out by themselves", metadata: ["error": "\(error)"])
        }
    }
}
