import Failpoints
import Postgres
import Tenancy

extension Relay {
    /// One round trip to the database: what is done is saved, what there is room for is read.
    struct Round {
        var progress: [ShardProgress]
        var readings: [ShardReading]
        var renews: Bool
        var giving: [Int16]
        var samples: Bool
    }

    /// A round on its way, and where the answers to it will be.
    struct Journey {
        let round: Round
        let asked: ContinuousClock.Instant
        var flight = RelayFlight()
        var saved: Int?
        var held: Int?
        var finding: RelayFlight.Finding?
        var sample: RelayFlight.Sample?
    }

    func round(_ work: Work) -> Round? {
        let giving = work.books.leaving
        let renews =
            work.renewedAt.map { $0.duration(to: .now) > configuration.lease / 3 } ?? true || work.wantsShards
            || !giving.isEmpty
        let progress = work.books.unsaved()
        guard renews || work.books.isWorthATrip || work.mustSave && !progress.isEmpty else { return nil }
        return Round(
            progress: progress, readings: work.books.readings(), renews: renews, giving: giving,
            samples: work.books.count > 0
                && work.sampledAt.map { $0.duration(to: .now) > configuration.sampling } ?? true)
    }

    func depart(_ round: Round, _ work: inout Work, _ group: inout DiscardingTaskGroup) async {
        work.mustSave = false
        // What is heard of meanwhile is asked for the next time.
        if round.renews { work.wantsShards = false }
        var journey = Journey(round: round, asked: .now)
        do {
            try load(&journey, work.books)
        } catch {
            work.journey = journey
            return await attend(to: .failure(error), &work, &group)
        }
        work.journey = journey
        group.addTask { [statements = journey.flight.statements, schema = statements.schema] in
            do {
                let answers = try await dataPlane.crossTenant(
                    in: database, as: .worker(schema), reason: .routine("publish the outbox"), durability: .off,
                    logger: logger, flight: statements)
                mailbox.post(.answered(.success(answers)))
            } catch {
                mailbox.post(.answered(.failure(error)))
            }
        }
    }

    private func load(_ journey: inout Journey, _ books: RelayBooks) throws {
        let round = journey.round
        let published = books.publishedBefore
        let letters = round.progress.filter { !$0.letters.isEmpty }
        if round.renews || !round.progress.isEmpty { journey.flight.add(statements.lock) }
        if !round.progress.isEmpty { journey.saved = journey.flight.add(try statements.save(round.progress)) }
        if !letters.isEmpty {
            journey.flight.add(statements.insist(on: letters.map(\.shard)))
            for letter in letters.flatMap(\.letters) { journey.flight.add(letter.insertion(into: statements.schema)) }
        }
        if round.renews {
            journey.flight.add(statements.register)
            journey.flight.add(statements.forgetTheDead)
            journey.held = journey.flight.add(statements.renew(giving: round.giving))
        }
        if !round.readings.isEmpty {
            journey.finding = journey.flight.read(round.readings, published, statements, configuration)
        }
        if round.samples { journey.sample = journey.flight.sample(books.positions, published, statements) }
    }

    /// Answers whether there are events that wait for a transaction to end.
    func land(_ journey: Journey, _ answers: [Rows], _ work: inout Work) async throws -> Bool {
        let (round, flight) = (journey.round, journey.flight)
        if let saved = journey.saved {
            let kept = try answers[saved].map { try $0.decode(Int16.self) }
            work.books.saved(round.progress, kept: Set(kept))
            metrics.setAside(round.progress.reduce(0) { $0 + $1.letters.count })
            try await Failpoint.reach("relay.after-cursor")
        }
        var isUnsettled = false
        if let finding = journey.finding {
            isUnsettled = try flight.found(
                finding, in: answers, for: round.readings, server: database.server, &work.books)
        }
        if let held = journey.held {
            try flight.held(held, in: answers, &work.books)
            work.renewedAt = journey.asked
            standing.set(work.books.epochs, until: journey.asked + configuration.lease)
            if !round.giving.isEmpty { await notices.send(statements.schema, in: database, because: .vacancy) }
        }
        if let sample = journey.sample {
            work.sampledAt = .now
            metrics.took(try flight.sample(sample, in: answers, work.books), of: database)
        }
        return isUnsettled
    }
}
