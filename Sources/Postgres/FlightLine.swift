/// Statements that leave together, with one sync behind them, and are answered together.
final class Flight<Waiter: Sendable> {
    enum Content {
        case statements([Statement])
        /// Any number of statements in the simple protocol.
        case script(String)
    }

    let id: UInt64
    let content: Content
    /// Whoever gets the result: nobody, where the connection sends the flight for itself.
    fileprivate(set) var waiter: Waiter?
    let deadline: ContinuousClock.Instant?
    let file: StaticString
    let line: UInt

    fileprivate(set) var rows: [Rows] = []
    fileprivate(set) var failure: PostgresError?
    /// Whether the caller has gone, and the results are only drained.
    fileprivate(set) var isAbandoned = false
    var isCancelRequested = false
    /// When to ask the server once more: it takes no notice where the statement hasn't begun yet.
    var cancelsAgainAt: ContinuousClock.Instant?
    var pauseBeforeCancel = Duration.milliseconds(50)

    /// What the connection sends for itself says nothing about its borrower.
    var isOurs = false
    fileprivate var startedOutsideTransaction = false
    fileprivate var hasEndedTransaction = false
    fileprivate var isSecondTry = false

    init(
        id: UInt64, _ content: Content, waiter: Waiter?, deadline: ContinuousClock.Instant?, file: StaticString,
        line: UInt
    ) {
        self.id = id
        self.content = content
        self.waiter = waiter
        self.deadline = deadline
        self.file = file
        self.line = line
    }

    var result: Result<[Rows], any Error> {
        failure.map { .failure($0) } ?? .success(rows)
    }

    func takeWaiter() -> Waiter? {
        defer { waiter = nil }
        return waiter
    }

    func abandon() -> Waiter? {
        isAbandoned = true
        return takeWaiter()
    }

    /// Whether nothing it did has lasted, so that it may be sent once more without anybody noticing.
    fileprivate var canBeRepeated: Bool {
        startedOutsideTransaction && !hasEndedTransaction && !isSecondTry && !isAbandoned
    }
}

/// What has been sent on one connection and is not answered yet, and which statements the server keeps.
///
/// Makes no call: it is told what was sent and what came back, and says what follows.
struct FlightLine<Waiter: Sendable>: ~Copyable {
    enum Step {
        case prepare(StatementCache.Entry, statement: Int)
        case execute(StatementCache.Entry?, statement: Int)
        case script
        case sync
    }

    enum Event {
        case none
        case finished(Flight<Waiter>)
        /// Finished with a plan that the server can't use any more: prepare everything anew and send it once more.
        case mustRepeat(Flight<Waiter>)
        case broken(String)
    }

    private var steps = Queue<Step>()
    private(set) var flights = Queue<Flight<Waiter>>()
    private(set) var cache: StatementCache
    /// Whether the server's prepared statements are to be dropped as soon as no transaction is open.
    private(set) var mustForgetStatements = false
    /// What was run since the connection was last known to be as new.
    private(set) var marks = SessionMarks()

    init(cacheCapacity: Int) {
        cache = StatementCache(capacity: cacheCapacity)
    }

    var isEmpty: Bool { flights.isEmpty }
    var hasAbandoned: Bool { flights.contains(where: \.isAbandoned) }
    var isAllAbandoned: Bool { !flights.isEmpty && !flights.contains { !$0.isAbandoned } }
    var hasScript: Bool {
        flights.contains { if case .script = $0.content { true } else { false } }
    }

    // MARK: Sending

    mutating func begin(_ flight: Flight<Waiter>, outsideTransaction: Bool) {
        flight.startedOutsideTransaction = outsideTransaction
        flights.append(flight)
        if case .statements(let statements) = flight.content { flight.rows.reserveCapacity(statements.count) }
    }

    /// Says how the statement is to be sent, and counts on its being sent that way.
    mutating func add(_ statement: Statement, index: Int) -> StatementCache.Use {
        let use = statement.prepare ? cache.use(statement.sql) : .unprepared
        switch use {
        case .prepare(let entry):
            steps.append(.prepare(entry, statement: index))
            steps.append(.execute(entry, statement: index))
        case .prepared(let entry): steps.append(.execute(entry, statement: index))
        case .unprepared: steps.append(.execute(nil, statement: index))
        }
        return use
    }

    mutating func addSync() { steps.append(.sync) }

    mutating func addScript(_ text: String) {
        steps.append(.script)
        marks.note(script: text)
    }

    mutating func clearMarks() { marks = SessionMarks() }

    /// What to tell the server to forget, before a flight that starts outside a transaction.
    mutating func takeForgotten() -> [SQL] {
        if mustForgetStatements {
            mustForgetStatements = false
            cache.forgetAll()
            return ["DEALLOCATE ALL"]
        }
        return cache.evicted.isEmpty ? [] : cache.takeEvicted().map { "DEALLOCATE \(unsafeSQL: $0)" }
    }

    mutating func beginAgain(_ flight: Flight<Waiter>) {
        flight.isSecondTry = true
        flight.failure = nil
        flight.rows.removeAll(keepingCapacity: true)
        begin(flight, outsideTransaction: true)
    }

    // MARK: Receiving

    mutating func receive(_ result: WireResult) -> Event {
        guard let step = steps.first, let flight = flights.first else {
            if case .end = result { return .none }
            return .broken("the server answered what it was not asked")
        }
        switch (step, result) {
        case (.prepare, .done): return .none
        case (.prepare(let entry, let statement), .failed(let error)):
            cache.forget(entry)
            fail(flight, error, statement)
        case (.prepare(let entry, _), .skipped): cache.forget(entry)
        case (.execute(_, let statement), .rows(let handle, let command)):
            note(flight, command, hasRows: true, statement)
            flight.rows.append(Rows(result: handle, command: command))
        case (.execute(_, let statement), .done(let command)):
            note(flight, command, hasRows: false, statement)
            complete(flight, command, statement)
        case (.execute(_, let statement), .failed(let error)): fail(flight, error, statement)
        case (.execute, .skipped): return .none
        case (.prepare, .end), (.execute, .end): steps.popFirst()
        case (.script, .rows), (.script, .done): return .none
        case (.script, .failed(let error)): fail(flight, error, nil)
        case (.script, .end), (.sync, .sync): return finish()
        case (_, .unsupported): return .broken("COPY can't be used here")
        default: return .broken("the server's answer doesn't fit what it was asked")
        }
        return .none
    }

    /// Everything that will never be answered, because the connection is gone.
    mutating func takeAll() -> [Flight<Waiter>] {
        _ = steps.takeAll()
        return flights.takeAll()
    }

    private mutating func finish() -> Event {
        steps.popFirst()
        guard let flight = flights.popFirst() else { return .none }
        guard let failure = flight.failure, failure.isStalePlan else { return .finished(flight) }
        mustForgetStatements = true
        return flight.canBeRepeated && flights.isEmpty ? .mustRepeat(flight) : .finished(flight)
    }

    private mutating func note(_ flight: Flight<Waiter>, _ command: String, hasRows: Bool, _ statement: Int) {
        guard !flight.isOurs, case .statements(let statements) = flight.content else { return }
        marks.note(command: command, hasRows: hasRows, of: statements[statement])
    }

    private func complete(_ flight: Flight<Waiter>, _ command: String, _ statement: Int) {
        flight.rows.append(Rows(result: nil, command: command))
        guard command == "COMMIT" || command == "ROLLBACK" else { return }
        flight.hasEndedTransaction = true
        // The server doesn't call it an error to answer COMMIT with ROLLBACK; to the caller it is one.
        if command == "ROLLBACK", flight.failure == nil, case .statements(let statements) = flight.content,
            statements[statement].isCommit
        {
            flight.failure = PostgresError(
                .rolledBack, "the transaction had failed before, and COMMIT rolled it back", statementIndex: statement,
                file: flight.file, line: flight.line)
        }
    }

    private func fail(_ flight: Flight<Waiter>, _ error: ServerError, _ statement: Int?) {
        guard flight.failure == nil else { return }
        flight.failure = PostgresError(
            error.sqlState.map { .server($0) } ?? .connectionLost, error, statementIndex: statement, file: flight.file,
            line: flight.line)
    }
}

extension Statement {
    fileprivate var isCommit: Bool {
        let text = sql.text.uppercased()
        return text.hasPrefix("COMMIT") || text.hasPrefix("END")
    }
}
