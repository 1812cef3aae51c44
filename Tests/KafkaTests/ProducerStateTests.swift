import Testing

@testable import Kafka

@Suite("The producer's books")
struct ProducerStateTests {
    private typealias State = ProducerState<String>

    /// Behind a reference, so that an expectation can change it.
    private final class Books {
        var state = State()

        init() {
            state.start(1)
        }

        var statistics: ProducerStatistics { state.statistics }

        func open(records: Int) throws -> (flight: UInt32, mustWait: Bool) { try state.open(records: records) }

        func beginQueueing(_ flight: UInt32, records: Int) -> (session: UInt32, seen: UInt64)? {
            state.beginQueueing(flight, records: records)
        }

        /// All are queued, or those before `stop`.
        func endQueueing(_ flight: UInt32, stoppedAt stop: Int?, of count: Int, seen: UInt64) -> (State.Next, [String])
        {
            let (next, wake) = state.endQueueing(flight, stoppedAt: stop, of: count, refused: [], seen: seen)
            return (next, wake)
        }

        func park(_ flight: UInt32, _ waiter: String) -> Bool { state.park(flight, waiter) }
        func hasTurn(_ flight: UInt32) -> Bool { state.hasTurn(flight) }
        func settle(_ session: UInt32, _ reports: [DeliveryReport]) -> [String] { state.settle(session, reports) }
        func abandon(_ flight: UInt32, _ error: KafkaError) -> [String] { state.abandon(flight, error) }
        func abandonAll(_ error: KafkaError) -> [String] { state.abandonAll(error) }
        func take(_ flight: UInt32) -> [Result<Delivery, KafkaError>] { state.take(flight) }
        func start(_ session: UInt32) { state.start(session) }
        func end(_ session: UInt32) -> Bool { state.end(session) }
        func forgetIfIdle(_ session: UInt32) -> Bool { state.forgetIfIdle(session) }
        func beginClosing() { state.beginClosing() }
        func parkCloser(_ waiter: String) -> Bool { state.parkCloser(waiter) }
    }

    private func report(_ flight: UInt32, _ index: Int, error: Int32 = 0) -> DeliveryReport {
        DeliveryReport(token: State.token(flight, index), error: error, partition: 0, offset: Int64(index))
    }

    @Test("a flight is done when every record of it is reported, in any order")
    func completion() throws {
        let books = Books()
        let (flight, mustWait) = try books.open(records: 2)
        #expect(!mustWait)
        let begun = try #require(books.beginQueueing(flight, records: 2))
        let (next, _) = books.endQueueing(flight, stoppedAt: nil, of: 2, seen: begun.seen)
        #expect(next == .done)
        #expect(books.park(flight, "producer"))
        #expect(books.settle(1, [report(flight, 1, error: -192)]) == [])
        #expect(books.settle(1, [report(flight, 0)]) == ["producer"])
        let results = books.take(flight)
        #expect(try results[0].get().offset == 0)
        #expect(throws: KafkaError.self) { try results[1].get() }
        #expect(books.statistics.delivered == 1)
        #expect(books.statistics.failed == 1)
        #expect(books.statistics.inFlight == 0)
    }

    @Test("who finds the queue full waits for the next reports")
    func waits() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 3)
        let begun = try #require(books.beginQueueing(flight, records: 3))
        let (next, _) = books.endQueueing(flight, stoppedAt: 1, of: 3, seen: begun.seen)
        #expect(next == .wait(from: 1))
        #expect(books.park(flight, "first"))
        #expect(books.settle(1, [report(flight, 0)]) == ["first"])
        #expect(books.hasTurn(flight))
    }

    @Test("reports that come between the attempt and the wait are not missed")
    func noLostWakeup() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 3)
        let begun = try #require(books.beginQueueing(flight, records: 3))
        #expect(books.settle(1, [report(flight, 0)]) == [])
        let (next, _) = books.endQueueing(flight, stoppedAt: 2, of: 3, seen: begun.seen)
        #expect(next == .tryAgain(from: 2))
    }

    @Test("a turn that comes before its flight has parked is not missed")
    func turnBeforeParking() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 2)
        let begun = try #require(books.beginQueueing(flight, records: 2))
        _ = books.endQueueing(flight, stoppedAt: 1, of: 2, seen: begun.seen)
        #expect(books.settle(1, [report(flight, 0)]) == [])
        #expect(!books.park(flight, "late"))
        #expect(books.hasTurn(flight))
    }

    @Test("others keep behind those who wait, and the turn is passed on")
    func fairness() throws {
        let books = Books()
        let (first, _) = try books.open(records: 2)
        let begun = try #require(books.beginQueueing(first, records: 2))
        _ = books.endQueueing(first, stoppedAt: 1, of: 2, seen: begun.seen)
        _ = books.park(first, "first")
        let (second, mustWait) = try books.open(records: 1)
        #expect(mustWait)
        #expect(books.park(second, "second"))
        #expect(books.settle(1, [report(first, 0)]) == ["first"])
        let again = try #require(books.beginQueueing(first, records: 1))
        let (next, wake) = books.endQueueing(first, stoppedAt: nil, of: 2, seen: again.seen)
        #expect(next == .done)
        #expect(wake == ["second"])
    }

    @Test("a cancelled flight gives its turn to the next")
    func cancelledTurn() throws {
        let books = Books()
        let (first, _) = try books.open(records: 2)
        let begun = try #require(books.beginQueueing(first, records: 2))
        _ = books.endQueueing(first, stoppedAt: 1, of: 2, seen: begun.seen)
        _ = books.park(first, "first")
        let (second, _) = try books.open(records: 1)
        _ = books.park(second, "second")
        _ = books.settle(1, [report(first, 0)])
        #expect(books.abandon(first, KafkaError(.cancelled)) == ["second"])
        #expect(books.hasTurn(second))
        #expect(books.take(first).failures.map(\.code) == [.cancelled])
    }

    @Test("a record that does not fit into an empty queue fails instead of waiting for ever")
    func largerThanQueue() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 1)
        let begun = try #require(books.beginQueueing(flight, records: 1))
        let (next, _) = books.endQueueing(flight, stoppedAt: 0, of: 1, seen: begun.seen)
        #expect(next == .done)
        #expect(books.take(flight).failures.map(\.code) == [.largerThanQueue])
    }

    @Test("records do not go on through the next session")
    func sessionEnds() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 2)
        #expect(books.end(1))
        #expect(books.end(1) == false)
        books.start(2)
        #expect(books.beginQueueing(flight, records: 2) == nil)
        #expect(throws: Never.self) { try books.open(records: 1) }
    }

    @Test("a session that has ended is forgotten when its last record is reported")
    func sessionIsForgotten() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 1)
        let begun = try #require(books.beginQueueing(flight, records: 1))
        _ = books.endQueueing(flight, stoppedAt: nil, of: 1, seen: begun.seen)
        _ = books.end(1)
        #expect(!books.forgetIfIdle(1))
        _ = books.settle(1, [report(flight, 0)])
        #expect(books.forgetIfIdle(1))
    }

    @Test("while closing, no flight opens, and the closer is woken by the last")
    func closing() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 1)
        let begun = try #require(books.beginQueueing(flight, records: 1))
        _ = books.endQueueing(flight, stoppedAt: nil, of: 1, seen: begun.seen)
        books.beginClosing()
        #expect(throws: KafkaError.self) { try books.open(records: 1) }
        #expect(books.parkCloser("closer"))
        #expect(books.settle(1, [report(flight, 0)]) == ["closer"])
        #expect(!books.parkCloser("closer"))
    }

    @Test("a flight abandoned while its records are being queued leaves no turn behind")
    func abandonedWhileQueueing() throws {
        let books = Books()
        let (flight, _) = try books.open(records: 3)
        let begun = try #require(books.beginQueueing(flight, records: 3))
        _ = books.abandonAll(KafkaError(.unreported))
        let (next, _) = books.endQueueing(flight, stoppedAt: 1, of: 3, seen: begun.seen)
        #expect(next == .done)
        _ = books.settle(1, [report(flight, 0)])
        #expect(try books.open(records: 1).mustWait == false)
    }
}
