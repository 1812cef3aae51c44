import Failpoints
import Kafka
import Kernel
import Logging
import Metrics
import Postgres
import Tenancy

/// Sees messages through to their end: taken in, or kept where they are not lost.
struct EventIntake: Sendable {
    let inbox: Inbox
    let deadLetters: DeadLetters
    let subscriptions: SubscriptionTable
    let strangers = Strangers()
    let patience: Patience
    let meters: IntakeMeters
    let logger: Logger

    /// How often an event is tried before the others of its key have to wait for an operator.
    struct Patience: Sendable {
        /// With one that fails for a reason of its own.
        var attempts = 5
        /// With one that runs into time limits or other transactions, which may not be its own fault.
        var contendedAttempts = 50
        /// With one whose tenant the registry may not know yet.
        var unknownTenant = Duration.seconds(20)
    }

    /// Has to come before the first message of partitions that are taken over.
    func meetStrangers() async throws {
        let control = deadLetters.dataPlane.fleet.control
        var found: [EventKey] = []
        for parked in try await deadLetters.parkedKeys.list(limit: 100_000, in: control) {
            // What lives there is found by the inbox itself.
            if try await deadLetters.livesElsewhere(parked.key.tenantID, than: control) { found.append(parked.key) }
        }
        strangers.add(found)
        strangers.expectDiscards(of: try await deadLetters.tenantsWithDiscards())
    }

    /// False where the process is to stop before the message's end.
    func settle(_ message: KafkaMessage) async -> Bool {
        let attributes = EventAttributes(headers: message.headers, value: message.value)
        if passesBy(message, attributes) { return true }
        let event: ReceivedEvent
        do {
            event = try ReceivedEvent(attributes)
        } catch {
            return await keep(message, .rejected, nil, error.reason, attempts: 1, isAlone: !attributes.isCloudEvent)
        }
        for (subscription, reading) in subscriptions.readings(of: event.type, alsoAs: event.alsoAs) {
            guard subscription.isMeant(message, event) else {
                let reason = "\(event.type) comes from \(subscription.source) on \(subscription.topic) alone"
                return await keep(message, .rejected, nil, reason, attempts: 1, isAlone: true)
            }
            switch reading {
            case .readable: guard await settle(event, from: message, by: subscription) else { return false }
            case .comesOtherwise: meters.otherVersions.increment()
            case .unknown:
                let reason = "this program does not know version \(event.type)"
                guard await keep(message, .unknownVersion, subscription.reaction, reason, attempts: 1) else {
                    return false
                }
            }
        }
        return true
    }

    func passesBy(_ message: KafkaMessage) -> Bool {
        passesBy(message, EventAttributes(headers: message.headers, value: message.value))
    }

    /// Whether nobody here reacts to it.
    private func passesBy(_ message: KafkaMessage, _ attributes: EventAttributes) -> Bool {
        guard message.value != nil || attributes.isCloudEvent else {
            // What compaction is told by: no fact, so nothing is missed by passing over it.
            meters.tombstones.increment()
            return true
        }
        return attributes.readable("type").map { subscriptions.to($0).isEmpty } ?? false
    }

    /// Tries until the event has taken effect, waits behind others, or is given up on.
    private func settle(
        _ event: ReceivedEvent, from message: KafkaMessage, by subscription: Subscription
    ) async -> Bool {
        var attempts = 0
        var contended = 0
        var backoff = Backoff()
        let key = message.key.map { EventKey(tenantID: event.tenantID, topic: message.topic, key: $0) }
        let begun = ContinuousClock.now
        while true {
            do {
                if let key, strangers.contains(key) {
                    if try await waits(message, key, subscription, withControl: true) { return true }
                    strangers.remove(key)
                }
                let tenant = event.tenantID
                if strangers.mayHaveDiscards(tenant), try await deadLetters.carryDiscards(of: tenant) {
                    strangers.forgetDiscards(of: tenant)
                }
                switch try await inbox.process(event, by: subscription, mode: .live(key: message.key)) {
                case .processed: meters.processed.increment()
                case .duplicate: meters.duplicates.increment()
                }
                return true
            } catch is KeyParked {
                do {
                    if let key, try await waits(message, key, subscription, withControl: false) { return true }
                    // The key was let go in between: the event's turn has come.
                    continue
                } catch {
                    guard !Task.isCancelled else { return false }
                    note(error, event, subscription, attempts)
                }
            } catch let rejection as Rejection {
                return await keep(
                    message, .rejected, subscription.reaction, rejection.reason, attempts: attempts + 1)
            } catch let unknown as UnknownTenant {
                do {
                    if try await deadLetters.dataPlane.isGone(event.tenantID) {
                        meters.gone.increment()
                        if strangers.isFirst(ofGone: event.tenantID) {
                            logger.notice(
                                "events of a tenant that is gone are passed over",
                                metadata: ["tenant": "\(event.tenantID)"])
                        }
                        return true
                    }
                    strangers.expectDiscards(of: [event.tenantID])
                    if let key, try await waits(message, key, subscription, withControl: true) {
                        strangers.insert(key)
                        return true
                    }
                } catch {
                    guard !Task.isCancelled else { return false }
                    note(error, event, subscription, attempts)
                }
                attempts += 1
                if begun.duration(to: .now) >= patience.unknownTenant {
                    // Before the letter is there: from then on nothing of the key may get past it.
                    if let key { strangers.insert(key) }
                    return await keep(
                        message, .unknownTenant, subscription.reaction, "\(unknown)", attempts: attempts)
                }
            } catch {
                guard !Task.isCancelled else { return false }
                switch Blame(error) {
                case .event: attempts += 1
                case .contention: contended += 1
                case .database: break
                }
                note(error, event, subscription, attempts)
                if attempts >= patience.attempts || contended >= patience.contendedAttempts {
                    return await keep(
                        message, .failed, subscription.reaction, "\(error)", attempts: attempts + contended)
                }
            }
            do {
                try await backoff.wait()
            } catch {
                return false
            }
        }
    }

    /// Adds the event to those of its parked key; false where the key is not parked there.
    private func waits(
        _ message: KafkaMessage, _ key: EventKey, _ subscription: Subscription, withControl: Bool
    ) async throws -> Bool {
        let letter = DeadLetter.incoming(
            message, .waiting, reaction: subscription.reaction, reason: "waits behind an event of its key that failed",
            attempts: 0)
        let waits =
            withControl
            ? try await deadLetters.parkedKeys.append(letter, to: key, in: deadLetters.dataPlane.fleet.control)
            : try await deadLetters.append(letter, to: key)
        if waits { meters.waiting.increment() }
        return waits
    }

    private func note(_ error: any Error, _ event: ReceivedEvent, _ subscription: Subscription, _ attempts: Int) {
        meters.retries.increment()
        logger.warning(
            "event failed",
            metadata: [
                "event": "\(event.id)", "event_type": "\(event.type)", "tenant": "\(event.tenantID)",
                "correlation": "\(event.correlation.id)", "reaction": "\(subscription.reaction)",
                "attempt": "\(attempts)", "error": "\(error)",
            ])
    }

    /// What a failed try says about the event.
    enum Blame {
        case event
        case contention
        /// A database that is away says nothing against the event: it is tried until the database is back.
        case database

        init(_ error: any Error) {
            switch error {
            case let unavailable as DataPlaneUnavailable:
                self = unavailable.cause.code == .timeout ? .contention : .database
            case is StaleVersion, is FailpointError: self = .contention
            case let error as PostgresError: self = error.isRetriable ? .contention : .event
            default: self = .event
            }
        }
    }

    /// Keeps the message among the dead letters; tries until that is done, since the offset must not pass it before.
    private func keep(
        _ message: KafkaMessage, _ kind: DeadLetter.Kind, _ reaction: String?, _ reason: String, attempts: Int,
        isAlone: Bool = false
    ) async -> Bool {
        var backoff = Backoff()
        var letter = DeadLetter.incoming(message, kind, reaction: reaction, reason: reason, attempts: attempts)
        letter.isAlone = isAlone || letter.eventKey == nil
        while true {
            do {
                if try await deadLetters.keep(letter) == .known {
                    meters.duplicates.increment()
                } else {
                    meters.deadLetters.increment()
                }
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
}
