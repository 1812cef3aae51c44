import DevStack
import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("A lease that ends badly")
struct LeaseFailureTests {
    enum Ending: CaseIterable { case throwing, cancelled, deadline, givenUp }

    private static let context = Statement("SET LOCAL atrium.tenant_id = 'ann'", prepare: false, isLocal: true)
    private static let stages: [[Statement]] = [
        [Statement("BEGIN"), context], [Statement("INSERT INTO t VALUES (1)")], [Statement("SELECT count(*) FROM t")],
        [Statement("COMMIT")],
    ]

    private func expectClean(_ pool: PostgresPool, rows: ClosedRange<Int>) async throws {
        try await pool.withConnection { connection in
            #expect(!connection.isInTransaction)
            let (context, count, open) = try await connection.run(
                """
                SELECT coalesce(current_setting('atrium.tenant_id', true), ''), (SELECT count(*) FROM t),
                    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                        AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%')
                """)[0][0].decode((String, Int, Int).self)
            #expect(context == "" && rows.contains(count))
            if open > 0 {
                try await Waiting.until("the server has ended the transaction that was cut off") {
                    try await connection.run(
                        """
                        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                            AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
                        """)[0][0].decode(Int.self) == 0
                }
            }
        }
    }

    @Test(
        "by an error, a cancellation or a deadline at any point, the next borrower gets it clean",
        arguments: Ending.allCases)
    func everywhere(_ ending: Ending) async throws {
        try await withPool(PoolConfiguration(name: "one", maximum: 1)) { pool in
            _ = try await pool.run("CREATE TABLE t (n int)")
            for stage in 0..<Self.stages.count {
                let task = Task {
                    try await pool.withConnection { connection in
                        for statements in Self.stages[..<stage] {
                            _ = try await connection.flight(statements, deadline: soon)
                        }
                        switch ending {
                        case .throwing: throw Missing(what: "patience")
                        case .cancelled:
                            withUnsafeCurrentTask { $0?.cancel() }
                            _ = try await connection.flight(Self.stages[stage], deadline: soon)
                        case .deadline:
                            _ = try await connection.flight(
                                Self.stages[stage] + [Statement("SELECT pg_sleep(60)")],
                                deadline: .now.advanced(by: .milliseconds(20)))
                        case .givenUp:
                            // Still under way when the body returns.
                            let before = connection.roundTrips
                            Task { try await connection.flight([Statement("SELECT pg_sleep(60)")]) }
                            try await Waiting.until("it is sent") { connection.roundTrips > before }
                            throw Missing(what: "patience")
                        }
                    }
                }
                await #expect(throws: (any Error).self) { try await task.value }
                // COMMIT itself may have come through before the deadline.
                try await expectClean(pool, rows: ending == .deadline && stage == 3 ? 0...1 : 0...0)
            }
            #expect(pool.statistics.created == 1 && pool.statistics.unclean.isEmpty)
        }
    }

    @Test(
        "by a cut connection at any turn, before or after the server, the next borrower gets a new one",
        arguments: [true, false])
    func cut(_ afterServer: Bool) async throws {
        try await PostgresServer.withDatabase { database in
            var settings = try ConnectionSettings(database.url)
            let proxy = try Proxy(to: try #require(Int(settings.port)))
            defer { proxy.stop() }
            settings.port = String(proxy.port)
            settings.parameters["sslmode"] = "disable"
            let pool = PostgresPool(settings, PoolConfiguration(name: "cut", maximum: 1), logger: silent)
            defer { pool.close() }
            _ = try await pool.run("CREATE TABLE t (n int)")
            for stage in 0..<Self.stages.count {
                try await pool.comeToRest()
                let created = pool.statistics.created
                let error = try await postgresError {
                    try await pool.withConnection { connection in
                        try await connection.ping(deadline: soon)
                        proxy.cut(atTurn: stage + 1, afterServer: afterServer)
                        for statements in Self.stages { _ = try await connection.flight(statements, deadline: soon) }
                    }
                }
                #expect(error.code == .connectionLost)
                try await expectClean(pool, rows: afterServer && stage == 3 ? 1...1 : 0...0)
                #expect(pool.statistics.created == created + 1)
            }
        }
    }

    @Test("when the server restarts, each operation fails once at most, and no more connect than have work")
    func restart() async throws {
        try await PostgresServer.withDedicated { embedded in
            var configuration = PoolConfiguration(name: "restart", maximum: 12)
            configuration.acquisitionTimeout = .seconds(20)
            let pool = PostgresPool(
                try ConnectionSettings(embedded.primary.address.url), configuration, logger: silent)
            defer { pool.close() }
            let gate = Gate()
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 1...12 {
                    group.addTask {
                        var errors = 0
                        do {
                            try await pool.withConnection { connection in
                                await gate.pass()
                                _ = try await connection.run("SELECT pg_sleep(60)")
                            }
                        } catch { errors += 1 }
                        // Whoever tries again gets a connection that the restart hasn't touched.
                        do { _ = try await pool.run("SELECT 1") } catch { errors += 1 }
                        return errors
                    }
                }
                try? await Waiting.until("all are lent") { pool.statistics.leased == 12 }
                #expect(pool.statistics.leased == 12)
                await gate.open()
                try await embedded.primary.restart()
                for try await errors in group { #expect(errors == 1) }
            }
            #expect(pool.statistics.created <= 12 + 12)
        }
    }
}
