import Foundation
import Kernel
import TestSupport
import Testing

@testable import Postgres

@Suite("Flights")
struct FlightTests {
    @Test("a whole transaction is one write and one round trip, prepared or not")
    func oneRoundTrip() async throws {
        let server = try await testServer()
        let proxy = try Proxy(to: try #require(Int(server.port)))
        defer { proxy.stop() }
        var settings = server
        settings.port = String(proxy.port)
        settings.parameters["sslmode"] = "disable"
        try await withConnection(settings) { connection in
            try await connection.run("CREATE TEMP TABLE t (n bigint, s text)")
            for _ in 1...3 {
                proxy.reset()
                let before = connection.roundTrips
                _ = try await connection.flight(
                    [
                        Statement("BEGIN"), Statement("SET LOCAL ROLE pg_monitor", prepare: false),
                        Statement("RESET ROLE"),
                        Statement("INSERT INTO t VALUES (\(1), \("a"))"),
                        Statement("INSERT INTO t VALUES (\(2), \("b"))"),
                        Statement("UPDATE t SET n = n + \(1)"), Statement("SELECT * FROM t"), Statement("COMMIT"),
                    ], deadline: soon)
                #expect(proxy.counts == Proxy.Counts(turns: 1, writes: 1))
                #expect(connection.roundTrips == before + 1)
            }
        }
    }

    @Test("results come in the order of the statements")
    func order() async throws {
        try await withConnection { connection in
            let results = try await connection.flight((0..<500).map { Statement("SELECT \($0)") }, deadline: soon)
            #expect(try results.map { try $0[0].decode(Int.self) } == Array(0..<500))
        }
    }

    @Test("flights of several tasks on one connection don't mix")
    func concurrentFlights() async throws {
        try await withConnection { connection in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        let results = try await connection.run("SELECT \(number)", "SELECT \(-number)")
                        #expect(try results.map { try $0[0].decode(Int.self) } == [number, -number])
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a flight larger than the socket takes, with an answer as large, gets through")
    func large() async throws {
        try await withConnection { connection in
            let text = String(repeating: "0123456789", count: 200_000)
            let results = try await connection.flight((0..<20).map { _ in Statement("SELECT \(text)") }, deadline: soon)
            for result in results { #expect(try result[0].decode(String.self) == text) }
        }
    }

    @Test("a failed statement aborts the rest, the COMMIT included, and says which it was")
    func abort() async throws {
        try await withConnection { connection in
            try await connection.run("CREATE TEMP TABLE t (n int PRIMARY KEY)", "INSERT INTO t VALUES (1)")
            let error = try await postgresError {
                try await connection.run(
                    "BEGIN", "INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (3)",
                    "COMMIT")
            }
            #expect(error.code == .server("23505"))
            #expect(error.statementIndex == 2)
            #expect(error.constraint == "t_pkey")
            #expect(error.table == "t")
            #expect(connection.isInTransaction && connection.hasFailedTransaction)
            try await connection.run("ROLLBACK")
            #expect(!connection.isInTransaction)
            let count = try await connection.run("SELECT count(*) FROM t")[0][0].decode(Int.self)
            #expect(count == 1)
        }
    }

    @Test("an error's description tells names and codes, never values")
    func descriptions() async throws {
        try await withConnection { connection in
            try await connection.run("CREATE TEMP TABLE t (mail text CONSTRAINT one_mail UNIQUE, n int CHECK (n > 0))")
            try await connection.run("INSERT INTO t VALUES ('ada@example.com', 1)")
            let duplicate = try await postgresError {
                try await connection.run("INSERT INTO t VALUES (\("ada@example.com"), 2)")
            }
            #expect(!"\(duplicate)".contains("ada@") && "\(duplicate)".contains("one_mail"))
            #expect(duplicate.debugDescription.contains("ada@example.com"))
            #expect("\(duplicate)".contains("PostgresTests/"))
            let malformed = try await postgresError { try await connection.run("SELECT \("secret")::int") }
            #expect(malformed.sqlState == "22P02" && !"\(malformed)".contains("secret"))
            let check = try await postgresError { try await connection.run("INSERT INTO t VALUES (NULL, 0)") }
            #expect(check.code == .server("23514") && check.constraint == "t_n_check")
        }
    }

    @Test("which errors are worth another try")
    func retriable() async throws {
        func error(_ sqlState: String) -> PostgresError {
            PostgresError(.server(sqlState), ServerError(sqlState: sqlState, message: ""), file: #fileID, line: #line)
        }
        for sqlState in ["40001", "40P01", "53300", "57P01", "08006", "55P03"] { #expect(error(sqlState).isRetriable) }
        for sqlState in ["23505", "42601", "22P02", "57014", "P0001"] { #expect(!error(sqlState).isRetriable) }
    }

    @Test("a transaction stays open from one flight to the next, and others can't see into it")
    func openTransaction() async throws {
        try await withConnection { connection in
            #expect(!connection.isInTransaction)
            try await connection.run("BEGIN", "SELECT 1")
            #expect(connection.isInTransaction && !connection.hasFailedTransaction && !connection.isClean)
            try await connection.run("COMMIT")
            #expect(!connection.isInTransaction && connection.isClean)
        }
    }

    @Test("a COMMIT that the server turns into a ROLLBACK is an error", arguments: ["COMMIT", "end", "commit work"])
    func silentRollback(_ commit: String) async throws {
        try await withConnection { connection in
            _ = try await postgresError { try await connection.run("BEGIN", "SELECT 1/0") }
            let error = try await postgresError { try await connection.run(SQL(unsafeSQL: commit)) }
            #expect(error.code == .rolledBack)
            #expect(!connection.isInTransaction)
        }
    }

    @Test("a ROLLBACK is what was asked for")
    func rollback() async throws {
        try await withConnection { connection in
            let results = try await connection.run("BEGIN", "ROLLBACK")
            #expect(results.map(\.command) == ["BEGIN", "ROLLBACK"])
        }
    }

    @Test("a flight of nothing is a sign of life")
    func ping() async throws {
        try await withConnection { connection in
            try await connection.ping(deadline: soon)
            #expect(connection.roundTrips == 1)
        }
    }

    @Test("a script runs many statements, and fails as one")
    func scripts() async throws {
        try await withConnection { connection in
            try await connection.script(
                """
                CREATE TEMP TABLE t (n int);
                CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
                INSERT INTO t SELECT pg_temp.f(); SELECT 'ignored';
                """, deadline: soon)
            let error = try await postgresError {
                try await connection.script(
                    "INSERT INTO t VALUES (2); SELECT 1/0; INSERT INTO t VALUES (3)", deadline: soon)
            }
            #expect(error.sqlState == "22012")
            let left = try await connection.run("SELECT n FROM t")[0].decode(Int.self)
            #expect(left == [1])
        }
    }

    @Test("a script and flights of other tasks wait for each other")
    func scriptAmongFlights() async throws {
        try await withConnection { connection in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<30 {
                    group.addTask {
                        if number % 5 == 0 {
                            try await connection.script("SELECT 1; SELECT 2", deadline: soon)
                        } else {
                            let back = try await connection.run("SELECT \(number)")[0][0].decode(Int.self)
                            #expect(back == number)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("COPY is refused, and the connection closed rather than left out of step")
    func copy() async throws {
        try await withConnection { connection in
            _ = try await postgresError { try await connection.run("COPY pg_class TO STDOUT") }
            #expect(!connection.isOpen)
        }
    }
}
