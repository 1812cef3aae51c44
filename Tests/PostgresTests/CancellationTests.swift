import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("Cancellation and deadlines")
struct CancellationTests {
    /// Runs `body` as a task, cancels it once `condition` holds, and hands back how it ended and how long that took.
    private func cancelled(
        when condition: () async throws -> Bool, _ body: @escaping @Sendable () async throws -> Void
    ) async throws -> (PostgresError?, Duration) {
        let task = Task { try await body() }
        try await Waiting.until("what the cancellation waits for") { try await condition() }
        let start = ContinuousClock.now
        task.cancel()
        do {
            try await task.value
            return (nil, .now - start)
        } catch let error as PostgresError {
            return (error, .now - start)
        }
    }

    private func isRunning(_ text: String, _ observer: PostgresConnection) async throws -> Bool {
        let rows = try await observer.run(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE \("%" + text + "%")
            """)
        return try rows[0][0].decode(Int.self) > 0
    }

    @Test("a cancelled statement resumes its caller at once, and is stopped in the server")
    func runningStatement() async throws {
        try await withConnection { observer in
            try await withConnection { connection in
                let (error, elapsed) = try await cancelled {
                    try await isRunning("cancel-running", observer)
                } _: {
                    _ = try await connection.run("SELECT pg_sleep(60), 'cancel-running'")
                }
                #expect(error?.code == .cancelled)
                #expect(elapsed < .seconds(5))
                // The same connection serves again, and the cancellation doesn't hit what comes after it.
                for number in 1...20 {
                    let back = try await connection.run("SELECT \(number)")[0][0].decode(Int.self)
                    #expect(back == number)
                }
                let stillRuns = try await isRunning("cancel-running", observer)
                #expect(!stillRuns)
            }
        }
    }

    @Test("a task that is cancelled already sends nothing")
    func cancelledBefore() async throws {
        try await withConnection { connection in
            let gate = Gate()
            let task = Task {
                await gate.pass()
                try await connection.run("SELECT 1")
            }
            task.cancel()
            await gate.open()
            let error = try await postgresError { try await task.value }
            #expect(error.code == .cancelled)
            #expect(connection.roundTrips == 0)
        }
    }

    @Test("cancelling one of several flights leaves its neighbours alone")
    func neighbours() async throws {
        try await withConnection { observer in
            try await withConnection { connection in
                let lock = Int.random(in: 1 ... .max)
                try await observer.run("SELECT pg_advisory_lock(\(lock))")
                let first = Task { try await connection.run("SELECT pg_advisory_xact_lock(\(lock)), 1")[0].count }
                try await Waiting.until("the first is sent") { connection.roundTrips == 1 }
                let second = Task { try await connection.run("SELECT 2")[0].count }
                try await Waiting.until("the second is sent") { connection.roundTrips == 2 }
                let third = Task { try await connection.run("SELECT 3")[0].count }
                try await Waiting.until("the third is sent") { connection.roundTrips == 3 }
                second.cancel()
                let error = try await postgresError { _ = try await second.value }
                #expect(error.code == .cancelled)
                try await observer.run("SELECT pg_advisory_unlock(\(lock))")
                let counts = (try await first.value, try await third.value)
                #expect(counts == (1, 1))
            }
        }
    }

    @Test("a deadline that passes resumes the caller, stops the statement, and leaves the connection fit")
    func deadline() async throws {
        try await withConnection { connection in
            let start = ContinuousClock.now
            let error = try await postgresError {
                _ = try await connection.flight(
                    [Statement("SELECT pg_sleep(60)")], deadline: .now.advanced(by: .milliseconds(50)))
            }
            #expect(error.code == .timeout && error.isRetriable)
            #expect(ContinuousClock.now - start < .seconds(10))
            let served = try await connection.run("SELECT 1")[0].count
            #expect(served == 1)
        }
    }

    @Test("stopping a statement never stops the one that comes after it")
    func latePursuit() async throws {
        try await withConnection { connection in
            for round in 0..<300 {
                // About as long as the deadline is away, so that the request to stop often comes when all is over.
                _ = try? await connection.flight(
                    [Statement("SELECT pg_sleep(\(Double(round % 10) / 5000))")],
                    deadline: .now.advanced(by: .milliseconds(1)))
                try await connection.run("SELECT pg_sleep(0.0005)", "SELECT \(round)")
            }
        }
    }

    @Test("a request to stop that comes before the statement has begun is made again")
    func earlyPursuit() async throws {
        try await withConnection { connection in
            for _ in 0..<40 {
                let before = connection.roundTrips
                let task = Task { try await connection.run("SELECT pg_sleep(60)") }
                while connection.roundTrips == before { await Task.yield() }
                task.cancel()
                _ = try? await task.value
                let served = try await connection.flight(
                    [Statement("SELECT 1")], deadline: .now.advanced(by: .seconds(4)))
                #expect(served.count == 1)
            }
        }
    }

    @Test("an earlier deadline is kept though a later one was set first")
    func earlierDeadline() async throws {
        try await withConnection { connection in
            _ = try await connection.flight([Statement("SELECT 1")], deadline: .now.advanced(by: .seconds(3600)))
            let error = try await postgresError {
                _ = try await connection.flight(
                    [Statement("SELECT pg_sleep(60)")], deadline: .now.advanced(by: .milliseconds(20)))
            }
            #expect(error.code == .timeout)
        }
    }

    @Test("a script can be cancelled too")
    func script() async throws {
        try await withConnection { observer in
            try await withConnection { connection in
                let (error, _) = try await cancelled {
                    try await isRunning("cancel-script", observer)
                } _: {
                    try await connection.script("SELECT 1; SELECT pg_sleep(60), 'cancel-script'")
                }
                #expect(error?.code == .cancelled)
                let served = try await connection.run("SELECT 1")[0].count
                #expect(served == 1)
            }
        }
    }

    @Test("cancelled in a transaction, the pool rolls back before anybody else gets the connection")
    func inTransaction() async throws {
        try await withPool(PoolConfiguration(name: "one", maximum: 1)) { pool in
            _ = try await pool.run("CREATE TABLE t (n int)")
            try await withConnection(pool.settings) { observer in
                let (error, _) = try await cancelled {
                    try await isRunning("cancel-in-transaction", observer)
                } _: {
                    try await pool.withConnection { connection in
                        try await connection.run("BEGIN", "INSERT INTO t VALUES (1)")
                        try await connection.run("SELECT pg_sleep(60), 'cancel-in-transaction'")
                        try await connection.run("COMMIT")
                    }
                }
                #expect(error?.code == .cancelled)
            }
            let count = try await pool.run("SELECT count(*) FROM t")[0][0].decode(Int.self)
            #expect(count == 0)
            #expect(pool.statistics.created == 1)
        }
    }

    @Test("cancelled while connecting, nothing is left behind")
    func connecting() async throws {
        let server = try await testServer()
        let proxy = try Proxy(to: try #require(Int(server.port)))
        defer { proxy.stop() }
        // The first connection is accepted, and then nothing that it says arrives.
        var settings = server
        settings.port = String(proxy.port)
        proxy.swallowEverything()
        let (error, elapsed) = try await cancelled {
            proxy.counts.turns > 0
        } _: { [settings] in
            _ = try await PostgresConnection.connect(settings, logger: silent)
        }
        #expect(error?.code == .cancelled)
        #expect(elapsed < .seconds(3))
    }

    @Test("cancelled anywhere, the pool stays whole and every transaction is done entirely or not at all")
    func anywhere() async throws {
        try await withPool(PoolConfiguration(name: "storm", maximum: 3)) { pool in
            _ = try await pool.run("CREATE TABLE a (n int)", "CREATE TABLE b (n int)")
            let done = await withTaskGroup(of: Int.self) { group in
                for round in 0..<300 {
                    let task = Task {
                        try await pool.withConnection { connection in
                            try await connection.run("BEGIN", "INSERT INTO a VALUES (\(round))")
                            try await connection.run("SELECT pg_sleep(0.001)")
                            try await connection.run("INSERT INTO b VALUES (\(round))", "COMMIT")
                        }
                    }
                    group.addTask {
                        // From not begun at all to done: as many steps of the scheduler as chance will have it.
                        for _ in 0..<(round * 7 % 600) { await Task.yield() }
                        task.cancel()
                        return (try? await task.value) == nil ? 0 : 1
                    }
                }
                return await group.reduce(into: 0) { $0 += $1 }
            }
            try await pool.comeToRest()
            let row = try await pool.run(
                """
                SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b),
                       (SELECT count(*) FROM a FULL JOIN b USING (n) WHERE a.n IS NULL OR b.n IS NULL)
                """)[0][0]
            let (inA, inB, unmatched) = try row.decode((Int, Int, Int).self)
            #expect(inA == inB && unmatched == 0)
            // A COMMIT whose caller was cancelled at the last moment may have taken effect.
            #expect(inA >= done)
            #expect(pool.statistics.open <= 3)
        }
    }
}
