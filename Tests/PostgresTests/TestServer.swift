import Logging
import Postgres
import Synchronization
import TestSupport

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A database of the real server that these tests share, as its superuser.
func testServer() async throws -> ConnectionSettings {
    try ConnectionSettings(try await sharedDatabase.value.url)
}

/// Goes with the server when the tests end.
private let sharedDatabase = Task { try await PostgresServer.database() }

/// Lends a connection to the shared server.
@discardableResult
func withConnection<Value>(
    _ settings: ConnectionSettings? = nil, _ body: (PostgresConnection) async throws -> Value
) async throws -> Value {
    let shared = try await testServer()
    let connection = try await PostgresConnection.connect(settings ?? shared, logger: silent, deadline: soon)
    defer { connection.close() }
    return try await body(connection)
}

/// Lends a pool on a database of its own.
@discardableResult
func withPool<Value>(
    _ configuration: PoolConfiguration = PoolConfiguration(name: "test", maximum: 4),
    _ body: (PostgresPool) async throws -> Value
) async throws -> Value {
    try await PostgresServer.withDatabase { database in
        let pool = PostgresPool(try ConnectionSettings(database.url), configuration, logger: silent)
        defer { pool.close() }
        return try await body(pool)
    }
}

/// Far enough away for a slow machine, near enough for a test that hangs to end.
var soon: ContinuousClock.Instant { .now.advanced(by: .seconds(20)) }

extension PostgresConnection {
    @discardableResult
    func run(_ statements: SQL...) async throws -> [Rows] {
        try await flight(statements.map { Statement($0) }, deadline: soon)
    }
}

extension PostgresPool {
    func run(_ statements: SQL...) async throws -> [Rows] {
        try await withConnection { try await $0.flight(statements.map { Statement($0) }, deadline: soon) }
    }

    /// Runs `body` while another task has a connection of the pool.
    func whileLent(for borrower: PoolBorrower = .system, _ body: () async throws -> Void) async throws {
        let (lent, done) = (Gate(), Gate())
        let holder = Task {
            do {
                try await self.withConnection(for: borrower) { _ in
                    await lent.open()
                    await done.pass()
                }
            } catch {
                await lent.open()
                throw error
            }
        }
        await lent.pass()
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body()) } catch { outcome = .failure(error) }
        await done.open()
        try await holder.value
        try outcome.get()
        try await comeToRest()
    }

    /// Waits until nobody has a connection any more.
    func comeToRest() async throws {
        try await Waiting.until("the pool is at rest, not \(statistics)") {
            let all = statistics
            return all.leased == 0 && all.waiting == 0 && all.opening == 0
        }
    }
}

/// The error of PostgreSQL that `body` must throw.
func postgresError(_ body: () async throws -> Void) async throws -> PostgresError {
    do {
        try await body()
    } catch let error as PostgresError {
        return error
    }
    throw Missing(what: "an error of PostgreSQL")
}

struct Missing: Error {
    let what: String
}

/// Something that a test waits for until another part of it has happened.
actor Gate {
    private var isOpen = false
    private var waiters: [CheckedContinuation<Void, Never>] = []

    func open() {
        isOpen = true
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    func pass() async {
        if isOpen { return }
        await withCheckedContinuation { waiters.append($0) }
    }
}

/// A number that several tasks change.
final class Count: Sendable {
    private let number = Atomic<Int>(0)

    var value: Int { number.load(ordering: .sequentiallyConsistent) }

    @discardableResult
    func add(_ more: Int) -> Int { number.add(more, ordering: .sequentiallyConsistent).newValue }
    func raise(to other: Int) { number.max(other, ordering: .sequentiallyConsistent) }
}

/// Words that several tasks write down.
final class Notes: Sendable {
    private let words = Mutex<[String]>([])

    var all: [String] { words.withLock { $0 } }

    func append(_ word: String) { words.withLock { $0.append(word) } }
}
