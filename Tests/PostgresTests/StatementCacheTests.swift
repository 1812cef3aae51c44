import Testing

@testable import Postgres

@Suite("Prepared statements")
struct StatementCacheTests {
    private func prepared(_ connection: PostgresConnection) async throws -> [String] {
        let rows = try await connection.flight(
            [Statement("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time", prepare: false)],
            deadline: soon)
        return try rows[0].decode(String.self)
    }

    @Test("a statement is prepared once, whatever its values")
    func once() async throws {
        try await withConnection { connection in
            for number in 1...5 { try await connection.run("SELECT \(number)") }
            let kept = try await prepared(connection)
            #expect(kept == ["SELECT $1"])
        }
    }

    @Test("a statement whose text varies is not kept")
    func notKept() async throws {
        try await withConnection { connection in
            _ = try await connection.flight([Statement("SET application_name = 'x'", prepare: false)], deadline: soon)
            let kept = try await prepared(connection)
            #expect(kept == [])
        }
    }

    @Test("the server keeps no more statements than the bound, and drops those used least recently")
    func bound() async throws {
        var settings = try await testServer()
        settings.statementCacheCapacity = 4
        try await withConnection(settings) { connection in
            for number in 1...20 {
                try await connection.run("SELECT \(unsafeSQL: "\(number)")", "SELECT 'always'")
            }
            try await connection.ping()
            let kept = Set(try await prepared(connection))
            #expect(kept == ["SELECT 18", "SELECT 19", "SELECT 20", "SELECT 'always'"])
            #expect(connection.preparedStatements == 4)
        }
    }

    @Test("the same text with parameters of other types works")
    func otherTypes() async throws {
        try await withConnection { connection in
            func type(_ sql: SQL) async throws -> String { try await connection.run(sql)[0][0].decode(String.self) }
            let types = [
                try await type("SELECT pg_typeof(\(1))::text"), try await type("SELECT pg_typeof(\("a"))::text"),
                try await type("SELECT pg_typeof(\(Int32(1)))::text"), try await type("SELECT pg_typeof(\(2))::text"),
            ]
            #expect(types == ["bigint", "text", "integer", "bigint"])
        }
    }

    @Test("a statement that failed to prepare can be used once its table is there")
    func failedPreparation() async throws {
        try await withConnection { connection in
            let error = try await postgresError { try await connection.run("SELECT * FROM later", "SELECT 1") }
            #expect(error.sqlState == "42P01" && error.statementIndex == 0)
            try await connection.run("CREATE TEMP TABLE later ()")
            try await connection.run("SELECT * FROM later", "SELECT 1")
        }
    }

    @Test("a plan that no longer fits is made anew without the caller noticing")
    func changedTable() async throws {
        try await withConnection { connection in
            try await connection.run("CREATE TEMP TABLE t AS SELECT 1 AS a")
            try await connection.run("SELECT * FROM t")
            try await connection.run("ALTER TABLE t ADD COLUMN b text DEFAULT 'new'")
            let row = try await connection.run("BEGIN", "SELECT * FROM t", "COMMIT")[1][0]
            #expect(try row.decode((Int, String).self) == (1, "new"))
            #expect(connection.isClean)
        }
    }

    @Test("statements that somebody deallocated are prepared anew without the caller noticing")
    func deallocated() async throws {
        try await withConnection { connection in
            try await connection.run("SELECT 1", "SELECT 2", "SELECT 3")
            try await connection.script("DISCARD ALL", deadline: soon)
            let results = try await connection.run("SELECT 1", "SELECT 2", "SELECT 3")
            #expect(try results.map { try $0[0].decode(Int32.self) } == [1, 2, 3])
        }
    }

    @Test("what a transaction did before a stale plan is not done twice")
    func noDoubleEffect() async throws {
        try await withConnection { connection in
            try await connection.run("CREATE TEMP TABLE t AS SELECT 1 AS a", "CREATE TEMP TABLE log (n int)")
            try await connection.run("SELECT * FROM t")
            try await connection.run("ALTER TABLE t ADD COLUMN b int")
            let error = try await postgresError {
                try await connection.run(
                    "BEGIN", "INSERT INTO log VALUES (1)", "COMMIT", "BEGIN", "SELECT * FROM t", "COMMIT")
            }
            #expect(error.sqlState == "0A000" && error.isRetriable)
            try await connection.run("ROLLBACK")
            let times = try await connection.run("SELECT * FROM log")[0].count
            #expect(times == 1)
            try await connection.run("SELECT * FROM t")
        }
    }

    @Test("a stale plan in an open transaction is the caller's to retry, and then works")
    func staleInTransaction() async throws {
        try await withConnection { connection in
            try await connection.run("CREATE TEMP TABLE t AS SELECT 1 AS a")
            try await connection.run("SELECT * FROM t")
            try await connection.run("ALTER TABLE t ADD COLUMN b int")
            try await connection.run("BEGIN")
            let error = try await postgresError { try await connection.run("SELECT * FROM t") }
            #expect(error.isRetriable)
            try await connection.run("ROLLBACK")
            try await connection.run("BEGIN")
            try await connection.run("SELECT * FROM t", "COMMIT")
        }
    }
}
