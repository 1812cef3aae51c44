import Kafka
import Kernel
import Logging
import Metrics
import Postgres
import Tenancy

extension EventIntake {
    /// Sees a piece of work through to its end; answers what became of each message.
    func settle(
        _ work: [KafkaMessage], owning owns: (KafkaMessage) -> Bool
    ) async -> [IntakeSchedule.Verdict] {
        guard work.count > 1, case .reaction = subscriptions.companions(of: work[0]),
            let type = EventAttributes(headers: work[0].headers, value: work[0].value).readable("type"),
            let subscription = subscriptions.to(type).first
        else { return await settleInTurn(work, owns) }

        var verdicts = work.map { owns($0) ? IntakeSchedule.Verdict.alone : .undone }
        var places: [Int] = []
        var events: [Inbox.Live] = []
        for (place, message) in work.enumerated() where verdicts[place] == .alone {
            guard let event = plain(message, for: subscription), let key = message.key,
                event.tenantID == events.first?.event.tenantID ?? event.tenantID
            else { continue }
            places.append(place)
            events.append(Inbox.Live(event: event, key: key))
        }
        guard !events.isEmpty else { return verdicts }
        let became = await settle(events, by: subscription)
        for (place, verdict) in zip(places, became) { verdicts[place] = verdict }
        return verdicts
    }

    private func settleInTurn(
        _ work: [KafkaMessage], _ owns: (KafkaMessage) -> Bool
    ) async -> [IntakeSchedule.Verdict] {
        var verdicts: [IntakeSchedule.Verdict] = []
        for message in work {
            let isDone = owns(message) ? await settle(message) : false
            verdicts.append(isDone ? .done : .undone)
        }
        return verdicts
    }

    /// The event of a message that there is nothing to say about; whatever is odd is looked at alone.
    private func plain(_ message: KafkaMessage, for subscription: Subscription) -> ReceivedEvent? {
        guard let event = try? ReceivedEvent(message), let key = message.key, message.topic == subscription.topic,
            event.source == subscription.source, !strangers.mayHaveDiscards(event.tenantID),
            !strangers.contains(EventKey(tenantID: event.tenantID, topic: message.topic, key: key))
        else { return nil }
        let readings = subscriptions.readings(of: event.type, alsoAs: event.alsoAs)
        guard readings.count == 1, readings[0].subscription.reaction == subscription.reaction,
            readings[0].reading == .readable
        else { return nil }
        return event
    }

    /// Tries until all have taken effect together; what is wrong with one is found out alone.
    private func settle(_ events: [Inbox.Live], by subscription: Subscription) async -> [IntakeSchedule.Verdict] {
        var backoff = Backoff()
        while true {
            do {
                return try await inbox.process(events, by: subscription).map { outcome in
                    switch outcome {
                    case .processed: meters.processed.increment()
                    case .duplicate: meters.duplicates.increment()
                    case nil: return .alone
                    }
                    return .done
                }
            } catch let unavailable as DataPlaneUnavailable where unavailable.cause.code != .timeout {
                // The database is away, which says nothing against any of them.
                logger.warning("events wait for their database", metadata: ["error": "\(unavailable)"])
            } catch {
                guard !Task.isCancelled else { break }
                logger.info(
                    "events that could not be taken in together are taken in one by one",
                    metadata: [
                        "reaction": "\(subscription.reaction)", "events": "\(events.count)", "error": "\(error)",
                    ])
                return events.map { _ in .alone }
            }
            do { try await backoff.wait() } catch { break }
        }
        return events.map { _ in .undone }
    }
}
