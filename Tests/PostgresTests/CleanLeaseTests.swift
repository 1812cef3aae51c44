import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Postgres

@Suite("What a borrower leaves behind")
struct CleanLeaseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let statements: [String]
        let leftover: Leftover?
        var named = ""
        var proof = LeaseProof.onSuspicion
        var asScript = false

        var testDescription: String { statements.joined(separator: "; ") }
    }

    private static let soiling = [
        Case(statements: ["SET ROLE pg_monitor"], leftover: .role, named: "pg_monitor"),
        Case(statements: ["SET SESSION AUTHORIZATION pg_monitor"], leftover: .role, named: "pg_monitor"),
        Case(statements: ["SET search_path = evil"], leftover: .setting, named: "search_path"),
        Case(statements: ["SET work_mem = '7MB'"], leftover: .setting, named: "work_mem"),
        Case(
            statements: ["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"], leftover: .setting,
            named: "default_transaction_read_only"),
        Case(statements: ["SET atrium.tenant_id = 'x'"], leftover: .setting, named: "atrium.tenant_id"),
        Case(statements: ["SET \"Atrium\".\"tenant_id\" = 'x'"], leftover: .setting, named: "Atrium.tenant_id"),
        Case(statements: ["SET atrium.tenant_id = 'x'"], leftover: .setting, named: "atrium.tenant_id", asScript: true),
        Case(statements: ["BEGIN", "SET atrium.tenant_id = 'x'", "COMMIT"], leftover: .setting),
        Case(
            statements: ["DO $$ BEGIN PERFORM set_config('a.b', 'x', false); END $$"], leftover: .setting, named: "a.b"),
        Case(statements: ["SELECT set_config('known.name', 'x', false)"], leftover: .setting, proof: .always),
        Case(statements: ["SELECT pg_advisory_lock(7)"], leftover: .advisoryLock, named: "0 7", proof: .always),
        Case(statements: ["DO $$ BEGIN PERFORM pg_advisory_lock(8); END $$"], leftover: .advisoryLock, named: "0 8"),
        Case(statements: ["LISTEN news"], leftover: .listening, named: "news"),
        Case(
            statements: ["BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT 1", "COMMIT"], leftover: .cursor, named: "c"),
        Case(statements: ["CREATE TEMP TABLE lost (n int)"], leftover: .temporaryObject, named: "lost"),
        Case(statements: ["CREATE TEMP TABLE lost AS SELECT 1 AS n"], leftover: .temporaryObject),
        Case(statements: ["SELECT 1 AS n INTO TEMP lost"], leftover: .temporaryObject),
        Case(
            statements: ["EXPLAIN (ANALYZE) CREATE TEMP TABLE lost AS SELECT 1 AS n"], leftover: .temporaryObject),
        Case(
            statements: ["CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'"],
            leftover: .temporaryObject, named: "f"),
        Case(statements: ["PREPARE mine AS SELECT 1"], leftover: .preparedStatement, named: "mine"),
        Case(statements: ["LOAD 'plpgsql'"], leftover: .library),
        Case(
            statements: [
                "CREATE SCHEMA evil",
                "CREATE VIEW evil.pg_settings AS SELECT * FROM pg_catalog.pg_settings WHERE false",
                "SET search_path = evil, pg_catalog",
            ], leftover: .setting, named: "search_path"),
    ]

    private static let harmless = [
        Case(statements: ["SET work_mem = '7MB'", "RESET work_mem"], leftover: nil),
        Case(statements: ["SET atrium.tenant_id = 'x'", "SET atrium.tenant_id = ''"], leftover: nil),
        Case(statements: ["SET ROLE pg_monitor", "RESET ROLE"], leftover: nil),
        Case(statements: ["LISTEN news", "UNLISTEN *"], leftover: nil),
        Case(statements: ["CREATE TEMP TABLE gone (n int)", "DROP TABLE gone"], leftover: nil),
        Case(statements: ["PREPARE mine AS SELECT 1", "DEALLOCATE mine"], leftover: nil),
        Case(statements: ["BEGIN", "DECLARE c CURSOR FOR SELECT 1", "FETCH c", "COMMIT"], leftover: nil),
        Case(statements: ["BEGIN", "SET work_mem = '7MB'", "CREATE TEMP TABLE gone (n int)"], leftover: nil),
        Case(statements: ["CREATE TABLE kept (n int)", "SELECT 1; SELECT 2"], leftover: nil, asScript: true),
        Case(statements: ["BEGIN", "LOCK TABLE pg_class IN ACCESS SHARE MODE", "COMMIT"], leftover: nil),
        Case(statements: ["SELECT 1"], leftover: nil, proof: .always),
    ]

    private func run(_ test: Case, on connection: PostgresConnection) async throws {
        if test.asScript { return try await connection.script(test.statements.joined(separator: ";"), deadline: soon) }
        for text in test.statements {
            _ = try await connection.flight([Statement(SQL(unsafeSQL: text))], deadline: soon)
        }
    }

    private func withLonelyPool(
        _ proof: LeaseProof = .onSuspicion, _ body: (PostgresPool, CapturedLog) async throws -> Void
    ) async throws {
        var configuration = PoolConfiguration(name: "lonely", maximum: 1)
        configuration.proof = proof
        configuration.customSettings = ["known.name"]
        configuration.healthCheckAfterIdle = .seconds(3600)
        try await PostgresServer.withDatabase { database in
            let log = CapturedLog()
            let pool = PostgresPool(try ConnectionSettings(database.url), configuration, logger: log.logger)
            defer { pool.close() }
            try await body(pool, log)
        }
    }

    @Test(
        "destroys the connection, is named in the log and counted, and the next borrower sees none of it",
        arguments: soiling)
    func soiled(_ test: Case) async throws {
        try await withLonelyPool(test.proof) { pool, log in
            let first = try await pool.withConnection { connection in
                try await run(test, on: connection)
                return connection.serverProcess
            }
            let (second, state) = try await pool.withConnection { connection in
                let state = try await connection.run(
                    """
                    SELECT session_user = 'postgres' OR session_user = current_user, current_setting('search_path'),
                        coalesce(current_setting('atrium.tenant_id', true), ''),
                        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
                            + (SELECT count(*) FROM pg_listening_channels())
                            + (SELECT count(*) FROM pg_cursors WHERE is_holdable)
                            + (SELECT count(*) FROM pg_prepared_statements WHERE from_sql)
                            + (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())
                    """)[0][0].decode((Bool, String, String, Int).self)
                return (connection.serverProcess, state)
            }
            #expect(state == (true, "\"$user\", public", "", 0))
            #expect(first != second)
            let leftover = try #require(test.leftover)
            #expect(pool.statistics.unclean == [leftover: 1])
            #expect(pool.statistics.destroyed == 1 && pool.statistics.created == 2)
            let lines = log.warnings
            #expect(lines.count == 1 && lines[0].contains("\(leftover.rawValue) \(test.named)".trimmedLine))
        }
    }

    @Test("is nothing where it was cleared away: one proof, and the same connection serves on", arguments: harmless)
    func cleared(_ test: Case) async throws {
        try await withLonelyPool(test.proof) { pool, log in
            let (first, before) = try await pool.withConnection { connection in
                try await run(test, on: connection)
                return (connection.serverProcess, (connection.roundTrips, connection.isInTransaction))
            }
            try await pool.comeToRest()
            let (second, after) = try await pool.withConnection { ($0.serverProcess, $0.roundTrips) }
            #expect(first == second && pool.statistics.created == 1 && pool.statistics.unclean.isEmpty)
            #expect(after == before.0 + (before.1 ? 2 : 1))
            #expect(log.warnings.isEmpty)
            // The proof held, so the next lease begins without suspicion.
            try await pool.withConnection { _ = try await $0.run("SELECT 1") }
            try await pool.comeToRest()
            let last = try await pool.withConnection { $0.roundTrips }
            #expect(last == after + (test.proof == .always ? 3 : 1))
        }
    }

    @Test("an ordinary transaction is proven clean by its command tags, at no round trip")
    func ordinary() async throws {
        try await withLonelyPool { pool, _ in
            _ = try await pool.run("CREATE TABLE t (n int PRIMARY KEY)")
            try await pool.comeToRest()
            let before = try await pool.withConnection { $0.roundTrips }
            for _ in 1...3 {
                try await pool.withConnection { connection in
                    _ = try await connection.flight(
                        [
                            Statement("BEGIN"),
                            Statement("SET LOCAL atrium.tenant_id = 'x'", prepare: false, isLocal: true),
                            Statement("SET LOCAL ROLE pg_monitor", prepare: false, isLocal: true),
                            Statement("SET LOCAL ROLE postgres", prepare: false, isLocal: true),
                            Statement("SAVEPOINT s"), Statement("INSERT INTO t VALUES (1)"),
                            Statement("INSERT INTO t VALUES (2) RETURNING n"), Statement("UPDATE t SET n = n + 10"),
                            Statement("ROLLBACK TO s"), Statement("RELEASE s"), Statement("SHOW work_mem"),
                            Statement("MERGE INTO t USING (SELECT 5 AS n) AS s ON t.n = s.n WHEN MATCHED THEN DELETE"),
                            Statement("DELETE FROM t"), Statement("SELECT * FROM t"), Statement("COMMIT"),
                        ], deadline: soon)
                    _ = try? await connection.run("SELECT 1/0")
                }
            }
            let after = try await pool.withConnection { $0.roundTrips }
            #expect(after == before + 6 && pool.statistics.created == 1)
        }
    }

    @Test("only the author of a SET LOCAL can vouch for it, and only for that")
    func vouching() {
        func isSuspect(_ command: String, _ statement: Statement, hasRows: Bool = false) -> Bool {
            var marks = SessionMarks()
            marks.note(command: command, hasRows: hasRows, of: statement)
            return marks.isSuspect
        }
        #expect(!isSuspect("SET", Statement("SET LOCAL a.b = 'c'", isLocal: true)))
        #expect(isSuspect("SET", Statement("SET LOCAL a.b = 'c'")))
        #expect(isSuspect("SET", Statement("SET a.b = 'c'", isLocal: true)))
        #expect(isSuspect("DO", Statement("SET LOCAL a.b = 'c'", isLocal: true)))
        #expect(!isSuspect("SELECT 1", Statement("SELECT 1"), hasRows: true))
        #expect(isSuspect("SELECT 1", Statement("SELECT 1 INTO t"), hasRows: false))
        #expect(isSuspect("PREPARE TRANSACTION", Statement("PREPARE TRANSACTION 'x'")))
    }

    @Test("a text with more names than can be asked for is not proven")
    func tooManyNames() {
        var marks = SessionMarks()
        marks.note(script: (0..<300).map { "SELECT a.b\($0);" }.joined())
        #expect(marks.certain == [.setting] && marks.customSettings.count == 256)
    }

    @Test("a listener on a lent connection doesn't outlive the lease")
    func listener() async throws {
        try await withLonelyPool { pool, _ in
            let stream = try await pool.withConnection { try await $0.notifications(on: "news") }
            await #expect(throws: PostgresError.self) { for try await _ in stream {} }
            #expect(pool.statistics.unclean[.listening] == 1)
        }
    }

    @Test("a context that was set for a transaction is gone with it, and has to be set anew for the next")
    func context() async throws {
        try await withLonelyPool { pool, _ in
            func look(_ connection: PostgresConnection) async throws -> String {
                try await connection.run("SELECT coalesce(current_setting('atrium.tenant_id', true), '')")[0][0]
                    .decode()
            }
            let set = Statement("SET LOCAL atrium.tenant_id = 'ann'", prepare: false, isLocal: true)
            for end in ["COMMIT", "ROLLBACK", nil] as [String?] {
                try await pool.withConnection { connection in
                    _ = try await connection.flight(
                        [Statement("BEGIN"), Statement("SAVEPOINT s"), set], deadline: soon)
                    let inside = try await look(connection)
                    try await connection.run("ROLLBACK TO s")
                    let rolledBack = try await look(connection)
                    _ = try await connection.flight([set], deadline: soon)
                    let again = try await look(connection)
                    #expect(inside == "ann" && rolledBack == "" && again == "ann")
                    if let end { try await connection.run(SQL(unsafeSQL: end)) }
                }
                let next = try await pool.withConnection { try await look($0) }
                #expect(next == "" && pool.statistics.created == 1)
            }
            // Neither does it come back with a new connection.
            try? await pool.withConnection { connection in
                _ = try await connection.flight([Statement("BEGIN"), set], deadline: soon)
                try await connection.run("SELECT pg_terminate_backend(pg_backend_pid())")
            }
            let fresh = try await pool.withConnection { try await look($0) }
            #expect(fresh == "" && pool.statistics.created == 2)
        }
    }
}

/// Keeps what is logged at warning or above.
private final class CapturedLog: Sendable {
    private let lines = Mutex<[String]>([])

    var warnings: [String] { lines.withLock { $0 } }
    var logger: Logger { Logger(label: "captured") { _ in Handler(log: self) } }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.warning
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            log.lines.withLock { $0.append("\(event.level) \(event.message) \(all)") }
        }
    }
}
