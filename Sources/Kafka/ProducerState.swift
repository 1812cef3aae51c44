/// A producer's books: which batches wait for which reports, and whose turn it is when the local queue is full.
///
/// Pure: methods return whom to wake, and the caller wakes them after letting go of its lock. A batch is called a flight
/// here, and belongs to one session, that is, to one client handle: after a fatal error its records must not go on
/// through the next handle, where they would overtake those that failed.
struct ProducerState<Waiter> {
    typealias FlightID = UInt32
    typealias SessionID = UInt32

    private struct Flight {
        let session: SessionID
        var results: [Result<Delivery, KafkaError>?]
        /// Records without a result.
        var open: Int
        var waiter: Waiter?

        /// False where the record has a result.
        mutating func settle(_ index: Int, _ result: Result<Delivery, KafkaError>) -> Bool {
            guard results[index] == nil else { return false }
            results[index] = result
            open -= 1
            return true
        }
    }

    private enum Phase {
        /// Goes to `closing`.
        case open
        /// Sees flights through, takes no new ones.
        case closing
    }

    /// What `produce` does after trying to queue records.
    enum Next: Hashable {
        case done
        case tryAgain(from: Int)
        case wait(from: Int)
    }

    private var phase = Phase.open
    private var flights: [FlightID: Flight] = [:]
    private var lastFlight: FlightID = 0
    private var unfinished = 0
    private var inFlight: [SessionID: Int] = [:]
    private var current: SessionID?
    /// Flights that wait for room, first come first served.
    private var line: [FlightID] = []
    /// The flight that has been let out of the line and fills the queue; others keep behind it.
    private var turn: FlightID?
    private var settlements: UInt64 = 0
    private var closers: [Waiter] = []
    private var counts = ProducerStatistics()

    var statistics: ProducerStatistics {
        var statistics = counts
        statistics.inFlight = inFlight.values.reduce(0, +)
        return statistics
    }

    mutating func noteError() { counts.errors += 1 }

    // MARK: Sessions

    mutating func start(_ session: SessionID) {
        current = session
        inFlight[session] = 0
    }

    /// Returns false where the session had ended already.
    mutating func end(_ session: SessionID) -> Bool {
        guard current == session else { return false }
        current = nil
        counts.restarts += 1
        return true
    }

    /// A session that has ended is of no use once all its records are reported.
    mutating func forgetIfIdle(_ session: SessionID) -> Bool {
        guard session != current, inFlight[session] == 0 else { return false }
        inFlight[session] = nil
        return true
    }

    // MARK: Flights

    mutating func open(records: Int) throws(KafkaError) -> (flight: FlightID, mustWait: Bool) {
        guard phase == .open else { throw KafkaError(.closed) }
        guard let current else { throw KafkaError(.fatal, "the producer is starting afresh") }
        lastFlight &+= 1
        let mustWait = turn != nil || !line.isEmpty
        flights[lastFlight] = Flight(session: current, results: Array(repeating: nil, count: records), open: records)
        unfinished += 1
        if mustWait { line.append(lastFlight) }
        return (lastFlight, mustWait)
    }

    static func token(_ flight: FlightID, _ index: Int) -> UInt { UInt(flight) << 32 | UInt(index) }

    /// Counts records as under way before librdkafka sees them, since their reports may come at once. Nil where the
    /// flight has nothing more to send.
    mutating func beginQueueing(_ flight: FlightID, records: Int) -> (session: SessionID, seen: UInt64)? {
        guard let entry = flights[flight], entry.open > 0, entry.session == current else { return nil }
        inFlight[entry.session]! += records
        return (entry.session, settlements)
    }

    mutating func endQueueing(
        _ flight: FlightID, stoppedAt stop: Int?, of count: Int, refused: [(Int, KafkaError)], seen: UInt64
    ) -> (next: Next, wake: [Waiter]) {
        let session = flights[flight]!.session
        var wake: [Waiter] = []
        for (index, error) in refused { settle(flight, index, .failure(error), &wake) }
        inFlight[session]! -= refused.count + (count - (stop ?? count))
        var next = Next.done
        // A flight may have been abandoned while its records were being queued.
        if let stop, flights[flight]!.open > 0 {
            if inFlight[session] == 0 {
                // The queue is empty, so waiting would not help.
                settle(flight, stop, .failure(KafkaError(.largerThanQueue)), &wake)
                next = stop + 1 < count ? .tryAgain(from: stop + 1) : .done
            } else if settlements != seen {
                next = .tryAgain(from: stop)
            } else {
                counts.queueFullWaits += 1
                line.insert(flight, at: turn == flight ? 0 : line.count)
                if turn == flight { turn = nil }
                return (.wait(from: stop), wake)
            }
        }
        if next == .done, turn == flight {
            turn = nil
            letOutNext(&wake)
        }
        if inFlight[session] == 0 { letOutNext(&wake) }
        return (next, wake)
    }

    /// False where there is nothing to wait for: the flight is done, or it is its turn.
    mutating func park(_ flight: FlightID, _ waiter: Waiter) -> Bool {
        guard flights[flight]!.open > 0, turn != flight else { return false }
        flights[flight]!.waiter = waiter
        return true
    }

    func hasTurn(_ flight: FlightID) -> Bool { turn == flight }

    mutating func settle(_ session: SessionID, _ reports: [DeliveryReport]) -> [Waiter] {
        var wake: [Waiter] = []
        for report in reports {
            let result: Result<Delivery, KafkaError> =
                report.error == 0
                ? .success(Delivery(partition: report.partition, offset: report.offset))
                : .failure(KafkaError(KafkaError.Code(rawValue: report.error)))
            settle(FlightID(truncatingIfNeeded: report.token >> 32), Int(report.token & 0xffff_ffff), result, &wake)
        }
        inFlight[session]! -= reports.count
        settlements &+= 1
        letOutNext(&wake)
        return wake
    }

    /// Gives every record of the flight that has no result this one.
    mutating func abandon(_ flight: FlightID, _ error: KafkaError) -> [Waiter] {
        var wake: [Waiter] = []
        guard let results = flights[flight]?.results else { return [] }
        for (index, result) in results.enumerated() where result == nil {
            settle(flight, index, .failure(error), &wake)
        }
        line.removeAll { $0 == flight }
        if turn == flight {
            turn = nil
            letOutNext(&wake)
        }
        return wake
    }

    mutating func take(_ flight: FlightID) -> [Result<Delivery, KafkaError>] {
        flights.removeValue(forKey: flight)!.results.map { $0! }
    }

    private mutating func settle(
        _ flight: FlightID, _ index: Int, _ result: Result<Delivery, KafkaError>, _ wake: inout [Waiter]
    ) {
        if case .success = result { counts.delivered += 1 } else { counts.failed += 1 }
        // A flight whose task was cancelled may have gone.
        guard let place = flights.index(forKey: flight), flights.values[place].settle(index, result) else { return }
        guard flights.values[place].open == 0 else { return }
        if let waiter = flights.values[place].waiter.take() { wake.append(waiter) }
        unfinished -= 1
        if unfinished == 0 { wake += wakeClosers() }
    }

    private mutating func letOutNext(_ wake: inout [Waiter]) {
        guard turn == nil, !line.isEmpty else { return }
        let next = line.removeFirst()
        turn = next
        if let waiter = flights[next]?.waiter.take() { wake.append(waiter) }
    }

    // MARK: Closing

    mutating func beginClosing() { phase = .closing }

    var isIdle: Bool { unfinished == 0 }

    /// False where nothing is under way.
    mutating func parkCloser(_ waiter: Waiter) -> Bool {
        guard unfinished > 0 else { return false }
        closers.append(waiter)
        return true
    }

    mutating func wakeClosers() -> [Waiter] {
        defer { closers = [] }
        return closers
    }

    mutating func abandonAll(_ error: KafkaError) -> [Waiter] {
        flights.keys.sorted().flatMap { abandon($0, error) }
    }
}
