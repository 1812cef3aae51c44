import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite(
    "Behind a PgBouncer in transaction mode",
    .enabled(if: PgBouncer.isInstalled, "pgbouncer is not installed: apt-get install pgbouncer"))
struct PgBouncerTests {
    /// Lends settings that lead through a PgBouncer with few connections, to a database of its own.
    private func withBouncer(
        connections: Int, _ body: (ConnectionSettings, TestDatabase) async throws -> Void
    ) async throws {
        try await PostgresServer.withDatabase { database in
            try await PgBouncer.with(database.address, connections: connections) { bouncer in
                var settings = try ConnectionSettings(database.url)
                settings.port = String(bouncer.port)
                settings.preparesStatements = false
                try await body(settings, database)
            }
        }
    }

    private func flight(_ context: Int) -> [Statement] {
        [
            Statement("BEGIN"),
            Statement("SET LOCAL atrium.test = '\(unsafeSQL: String(context))'", prepare: false, isLocal: true),
            Statement("INSERT INTO t VALUES (\(context), current_setting('atrium.test')::int8)"),
            Statement("SELECT current_setting('atrium.test')::int8, \(context), pg_backend_pid()"),
            Statement("COMMIT"),
        ]
    }

    @Test("whole transactions of many clients share few servers, and their contexts never cross")
    func contexts() async throws {
        try await withBouncer(connections: 3) { settings, database in
            _ = try await database.execute("CREATE TABLE t (expected int8, found int8)")
            let pool = PostgresPool(settings, PoolConfiguration(name: "clients", maximum: 30), logger: silent)
            defer { pool.close() }
            let servers = try await withThrowingTaskGroup(of: Int32.self) { group in
                for context in 1...600 {
                    group.addTask {
                        try await pool.withConnection { connection in
                            let rows = try await connection.flight(flight(context), deadline: soon)[3]
                            let (found, expected, server) = try rows[0].decode((Int, Int, Int32).self)
                            #expect(found == context && expected == context)
                            return server
                        }
                    }
                }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect((1...3).contains(servers.count))
            #expect(pool.statistics.open > 3 && pool.statistics.unclean.isEmpty)
            let crossed = try await database.execute(
                "SELECT count(*), count(*) FILTER (WHERE expected <> found) FROM t")
            #expect(crossed == "600|0")
            let left = try await pool.run("SELECT current_setting('atrium.test', true)")[0][0].decode(String?.self)
            #expect(left == nil || left == "")
        }
    }

    @Test("the same statement is sent again and again without a name, in flights, scripts and health checks")
    func unnamed() async throws {
        try await withBouncer(connections: 2) { settings, _ in
            var configuration = PoolConfiguration(name: "unnamed", maximum: 4)
            configuration.healthCheckAfterIdle = .zero
            let pool = PostgresPool(settings, configuration, logger: silent)
            defer { pool.close() }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<100 {
                    group.addTask {
                        let rows = try await pool.run("SELECT \(number)", "SELECT \(number) + 1")
                        #expect(try rows.map { try $0[0].decode(Int.self) } == [number, number + 1])
                    }
                }
                try await group.waitForAll()
            }
            try await pool.withConnection { connection in
                #expect(connection.preparedStatements == 0)
                try await connection.script("SELECT 1; SELECT 2", deadline: soon)
                try await connection.ping(deadline: soon)
            }
            #expect(pool.statistics.failures == 0 && pool.statistics.destroyed == 0)
        }
    }

    @Test("a deadline stops the statement, and the servers serve on")
    func cancellation() async throws {
        try await withBouncer(connections: 1) { settings, _ in
            let pool = PostgresPool(settings, PoolConfiguration(name: "deadline", maximum: 3), logger: silent)
            defer { pool.close() }
            let error = try await postgresError {
                try await pool.withConnection { connection in
                    _ = try await connection.flight(
                        [Statement("BEGIN"), Statement("SELECT pg_sleep(60)"), Statement("COMMIT")],
                        deadline: .now.advanced(by: .milliseconds(100)))
                }
            }
            #expect(error.code == .timeout)
            // There is but one server, so it can't be busy any more.
            let served = try await pool.run("SELECT 1")[0].count
            #expect(served == 1)
        }
    }

    @Test("options, which PgBouncer refuses, are refused before, with advice")
    func options() async throws {
        try await withBouncer(connections: 1) { settings, _ in
            var settings = settings
            settings.parameters["options"] = "-c statement_timeout=1000"
            let error = try await postgresError {
                _ = try await PostgresConnection.connect(settings, logger: silent, deadline: soon)
            }
            #expect(error.code == .invalidSettings && error.message.contains("ALTER ROLE"))
        }
    }
}
