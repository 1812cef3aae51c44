import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("The pool")
struct PoolTests {
    @Test("a burst is served by few connections, and never by more than the maximum")
    func burst() async throws {
        try await withPool(PoolConfiguration(name: "burst", maximum: 4)) { pool in
            try await withConnection(pool.settings) { observer in
                let most = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 1...200 {
                        group.addTask {
                            _ = try await pool.run("SELECT pg_sleep(0.002)")
                            return 0
                        }
                    }
                    for _ in 1...20 {
                        group.addTask {
                            try await observer.run(
                                """
                                SELECT count(*) FROM pg_stat_activity
                                WHERE datname = current_database() AND pid <> pg_backend_pid()
                                    AND backend_type = 'client backend'
                                """)[0][0].decode(Int.self)
                        }
                    }
                    var most = 0
                    for try await count in group { most = max(most, count) }
                    return most
                }
                #expect(most <= 4)
                #expect(pool.statistics.created <= 4)
                #expect(pool.statistics.acquisitions == 200)
            }
        }
    }

    @Test("those who wait are served in the order they came")
    func fifo() async throws {
        try await withPool(PoolConfiguration(name: "fifo", maximum: 1)) { pool in
            let order = Order()
            try await withThrowingTaskGroup(of: Void.self) { group in
                let gate = Gate()
                group.addTask { try await pool.withConnection { _ in await gate.pass() } }
                try await Waiting.until("it is lent") { pool.statistics.leased == 1 }
                for number in 0..<20 {
                    group.addTask { try await pool.withConnection { _ in await order.append(number) } }
                    try await Waiting.until("it waits", every: .microseconds(200)) {
                        pool.statistics.waiting == number + 1
                    }
                }
                await gate.open()
                try await group.waitForAll()
            }
            #expect(await order.numbers == Array(0..<20))
        }
    }

    @Test("who waits too long is told how many there are ahead")
    func timeout() async throws {
        var configuration = PoolConfiguration(name: "full", maximum: 1)
        configuration.acquisitionTimeout = .milliseconds(100)
        try await withPool(configuration) { pool in
            try await Waiting.until("a connection is open") { (try? await pool.run("SELECT 1")) != nil }
            let before = pool.statistics.timeouts
            try await pool.whileLent {
                let error = try await postgresError { _ = try await pool.run("SELECT 1") }
                #expect(error.code == .poolExhausted && error.isRetriable)
                #expect(error.message.contains("1 of 1"))
                #expect(pool.statistics.timeouts == before + 1 && pool.statistics.waiting == 0)
            }
            try await pool.withConnection { #expect($0.isClean) }
        }
    }

    @Test("the caller's own deadline counts where it is the nearer one")
    func ownDeadline() async throws {
        try await withPool(PoolConfiguration(name: "deadline", maximum: 1)) { pool in
            try await pool.whileLent {
                let error = try await postgresError {
                    try await pool.withConnection(deadline: .now.advanced(by: .milliseconds(20))) { _ in }
                }
                #expect(error.code == .poolExhausted)
            }
        }
    }

    @Test("ten thousand who gave up waiting leave nothing behind")
    func cancelledWaiters() async throws {
        try await withPool(PoolConfiguration(name: "crowd", maximum: 1)) { pool in
            try await pool.whileLent {
                await withTaskGroup(of: Void.self) { group in
                    for _ in 1...10_000 { group.addTask { try? await pool.withConnection { _ in } } }
                    try? await Waiting.until("all wait") { pool.statistics.waiting == 10_000 }
                    group.cancelAll()
                }
                #expect(pool.statistics.waiting == 0)
                #expect(pool.placesKeptForTheGone < 200)
            }
            _ = try await pool.run("SELECT 1")
            #expect(pool.statistics.created == 1)
        }
    }

    @Test("a connection left in a transaction is rolled back before anybody else gets it", arguments: [true, false])
    func openTransaction(_ fails: Bool) async throws {
        try await withPool(PoolConfiguration(name: "open", maximum: 1)) { pool in
            _ = try await pool.run("CREATE TABLE t (n int)")
            try? await pool.withConnection { connection in
                try await connection.run("BEGIN", "INSERT INTO t VALUES (1)")
                if fails { try await connection.run("SELECT 1/0") }
            }
            try await pool.withConnection { connection in
                #expect(!connection.isInTransaction)
                let count = try await connection.run("SELECT count(*) FROM t")[0][0].decode(Int.self)
                #expect(count == 0)
            }
            #expect(pool.statistics.created == 1)
        }
    }

    @Test("what the body throws is thrown as it was")
    func bodyError() async throws {
        try await withPool { pool in
            await #expect(throws: Missing.self) {
                try await pool.withConnection { _ in throw Missing(what: "anything") }
            }
        }
    }

    @Test("a connection that was idle for long is asked for a sign of life, one that wasn't is not")
    func healthCheck() async throws {
        var configuration = PoolConfiguration(name: "health", maximum: 1)
        configuration.healthCheckAfterIdle = .seconds(3600)
        try await withPool(configuration) { pool in
            _ = try await pool.run("SELECT 1")
            let trips = try await pool.withConnection { $0.roundTrips }
            #expect(trips == 1)
        }
        configuration.healthCheckAfterIdle = .zero
        try await withPool(configuration) { pool in
            _ = try await pool.run("SELECT 1")
            let trips = try await pool.withConnection { $0.roundTrips }
            #expect(trips == 2)
        }
    }

    @Test("a connection past its lifetime is replaced, an idle one closed")
    func lifetime() async throws {
        var configuration = PoolConfiguration(name: "short", maximum: 1)
        configuration.lifetime = .zero
        try await withPool(configuration) { pool in
            for _ in 1...3 { _ = try await pool.run("SELECT 1") }
            #expect(pool.statistics.destroyed == 3)
        }
        configuration.lifetime = .seconds(60)
        configuration.idleTimeout = .milliseconds(20)
        try await withPool(configuration) { pool in
            _ = try await pool.run("SELECT 1")
            try await Waiting.until("the idle one is closed") { pool.statistics.open == 0 }
        }
    }

    @Test("a connection is replaced only once the server has ended it")
    func replacement() async throws {
        var configuration = PoolConfiguration(name: "replaced", maximum: 1)
        configuration.lifetime = .zero
        try await withPool(configuration) { pool in
            for _ in 1...100 {
                let seen = try await pool.run(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'client backend'
                    """)[0][0].decode(Int.self)
                #expect(seen == 1)
            }
            #expect(pool.statistics.created == 100)
        }
    }

    @Test("while it runs the pool keeps its minimum; shut down, it waits for what is lent and refuses the rest")
    func running() async throws {
        var configuration = PoolConfiguration(name: "run", maximum: 3)
        configuration.minimumIdle = 2
        try await withPool(configuration) { pool in
            let gate = Gate()
            let run = Task { try await pool.run() }
            try await Waiting.until("the minimum is open") { pool.statistics.idle == 2 }
            let borrower = Task {
                try await pool.withConnection { connection in
                    await gate.pass()
                    return try await connection.run("SELECT 1")[0].count
                }
            }
            try await Waiting.until("it is lent") { pool.statistics.leased == 1 }
            run.cancel()
            try await Waiting.until("the idle ones are closed") { pool.statistics.idle == 0 }
            let error = try await postgresError { _ = try await pool.run("SELECT 1") }
            #expect(error.code == .poolClosed)
            await gate.open()
            let count = try await borrower.value
            #expect(count == 1)
            try await run.value
            #expect(pool.statistics.open == 0)
        }
    }

    @Test("a pool that is dropped closes its connections")
    func dropped() async throws {
        try await withConnection { observer in
            var settings = try await testServer()
            settings.applicationName = "dropped-\(UUID())"
            func open() async throws -> Int {
                try await observer.run(
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = \(settings.applicationName)")[0][0]
                    .decode()
            }
            do {
                let pool = PostgresPool(settings, PoolConfiguration(name: "dropped"), logger: silent)
                _ = try await pool.run("SELECT 1")
                let count = try await open()
                #expect(count == 1)
            }
            try await Waiting.until("the connection is gone") { try await open() == 0 }
        }
    }
}

private actor Order {
    var numbers: [Int] = []
    func append(_ number: Int) { numbers.append(number) }
}
