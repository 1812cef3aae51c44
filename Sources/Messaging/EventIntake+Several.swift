import Kafka
import Kernel
import Logging
import Metrics
import Postgres
import Tenancy

extension EventIntake {
    /// Sees a piece of work through to its end; answers what became of each message.
    func settle(_ piece: Piece, owning owns: (KafkaMessage) -> Bool) async -> [IntakeSchedule.Verdict] {
        let messages = piece.messages
        if messages.count == 1 {
            return [owns(messages[0]) ? await settle(messages[0]) ? .done : .undone : .undone]
        }
        var verdicts = messages.map { owns($0) ? IntakeSchedule.Verdict.alone : .undone }
        let places = verdicts.indices.filter { verdicts[$0] == .alone }
        guard case .reaction(let name) = piece.companions,
            let subscription = subscriptions.all.first(where: { $0.reaction == name })
        else {
            for place in places where passesBy(messages[place]) { verdicts[place] = .done }
            return verdicts
        }
        let plain = places.compactMap { place in
            self.plain(messages[place], for: subscription).map { (place: place, event: $0) }
        }
        // What a header says of the tenant may differ from what counts.
        let party = plain.filter { $0.event.event.tenantID == plain.first?.event.event.tenantID }
        for (place, verdict) in zip(party.map(\.place), await settle(party.map(\.event), by: subscription)) {
            verdicts[place] = verdict
        }
        return verdicts
    }

    /// An event that there is nothing to say about; whatever is odd is looked at alone.
    private func plain(_ message: KafkaMessage, for subscription: Subscription) -> Inbox.Live? {
        guard let event = try? ReceivedEvent(message), let key = message.key, subscription.isMeant(message, event),
            !strangers.mayHaveDiscards(event.tenantID),
            !strangers.contains(EventKey(tenantID: event.tenantID, topic: message.topic, key: key))
        else { return nil }
        let readings = subscriptions.readings(of: event.type, alsoAs: event.alsoAs)
        guard readings.count == 1, readings[0].subscription.reaction == subscription.reaction,
            readings[0].reading == .readable
        else { return nil }
        return Inbox.Live(event: event, key: key)
    }

    /// Tries until all have taken effect together; what is wrong with one is found out alone.
    private func settle(_ events: [Inbox.Live], by subscription: Subscription) async -> [IntakeSchedule.Verdict] {
        guard let tenant = events.first?.event.tenantID else { return [] }
        var backoff = Backoff()
        var attempts = 0
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
            } catch is UnknownTenant {
                return events.map { _ in .alone }
            } catch {
                guard !Task.isCancelled else { break }
                // A server that can't be reached says nothing against any of them, others in the way little.
                let blame = Blame(error)
                let isAway = blame == .database && (error as? DataPlaneUnavailable)?.cause.code != .connectionLost
                if !isAway { attempts += 1 }
                meters.retries.increment()
                logger.warning(
                    "events failed together",
                    metadata: [
                        "tenant": "\(tenant)", "reaction": "\(subscription.reaction)", "events": "\(events.count)",
                        "attempt": "\(attempts)", "error": "\(error)",
                    ])
                if blame == .event || attempts >= 3 { return events.map { _ in .alone } }
            }
            do { try await backoff.wait() } catch { break }
        }
        return events.map { _ in .undone }
    }
}
