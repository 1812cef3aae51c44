import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// Statements that somebody smuggles into A's transaction to become somebody else.
struct Forgery: Sendable, CustomTestStringConvertible {
    let name: String
    let statements: @Sendable (Neighbours) -> [SQL]
    var testDescription: String { name }

    init(_ name: String, _ statements: @escaping @Sendable (Neighbours) -> [SQL]) {
        self.name = name
        self.statements = statements
    }

    init(_ text: String) {
        self.init(text) { _ in
            text.split(separator: ";").map { SQL(unsafeSQL: $0.trimmingCharacters(in: .whitespaces)) }
        }
    }

    private static func enter(
        _ name: String, _ claim: @escaping @Sendable (Neighbours) -> (String, Int64, [UInt8])
    ) -> Forgery {
        Forgery(name) { pair in
            let (context, until, mac) = claim(pair)
            return ["SELECT platform.enter(\(context), \(until), \(mac))"]
        }
    }

    private static func context(_ tenant: TenantContext, _ role: String = "orders_app") -> String {
        "\(tenant.tenantID.hexDigits),\(role)"
    }

    static let all: [Forgery] =
        [
            enter("enter with a made-up signature") { (context($0.b), 0, Array(repeating: 1, count: 32)) },
            enter("enter with an empty signature") { (context($0.b), 0, []) },
            enter("enter with a signature for another server process") {
                (context($0.b), 0, TestDataPlane.contextKey.code(for: "\(context($0.b)),1"))
            },
            enter("enter with a signature that has expired") {
                let past = Int64(Date().timeIntervalSince1970) - 1
                return (context($0.b), past, TestDataPlane.contextKey.code(for: "\(context($0.b)),until \(past)"))
            },
            enter("enter with a signature under another secret") {
                let until = Int64(Date().timeIntervalSince1970) + 60
                let other = ContextKey(secret: Array("another installation's secret, as long as it takes".utf8))
                return (context($0.b), until, other.code(for: "\(context($0.b)),until \(until)"))
            },
            enter("enter with a list of tenants") {
                ("\($0.a.tenantID.hexDigits),orders_app,\($0.b.tenantID.hexDigits)", 0, [1])
            },
            Forgery("a context set by hand") {
                ["SET LOCAL backtrace_functions = '\(unsafeSQL: context($0.b))'"]
            },
            Forgery("a context set for the session") { ["SET backtrace_functions = '\(unsafeSQL: context($0.b))'"] },
            Forgery("a context set inside an expression") {
                [
                    "SELECT count(*) FROM orders.orders WHERE set_config('backtrace_functions', \(context($0.b)), true) <> ''"
                ]
            },
            Forgery("a context set through pg_settings") {
                ["UPDATE pg_settings SET setting = \(context($0.b)) WHERE name = 'backtrace_functions'"]
            },
            Forgery("a query in a query") { pair in
                [
                    """
                    SELECT query_to_xml('SELECT set_config(''backtrace_functions'', ''\(unsafeSQL: context(pair.b))'', true)', \
                    true, true, '')
                    """
                ]
            },
            Forgery("the other tenant by query_to_xml") { pair in
                [
                    "SELECT query_to_xml('SELECT * FROM orders.orders WHERE tenant_id = ''\(unsafeSQL: pair.b.tenantID.description)''', true, true, '')"
                ]
            },
        ]
        + [
            "RESET ROLE", "SET ROLE none", "SET LOCAL ROLE billing_app", "SET LOCAL ROLE orders_worker",
            "SET LOCAL ROLE control_plane", "SET ROLE control_plane", "SET LOCAL ROLE atrium_owner",
            "SET SESSION AUTHORIZATION DEFAULT", "SET SESSION AUTHORIZATION atrium_owner",
            "RESET SESSION AUTHORIZATION",
            "RESET ROLE; SET LOCAL ROLE orders_worker; SELECT * FROM orders.outbox",
            "RESET backtrace_functions", "RESET ALL", "DISCARD ALL", "SET LOCAL row_security = off",
            "SET LOCAL session_replication_role = replica", "SET LOCAL search_path = platform, pg_catalog",
            "SAVEPOINT s; RESET ROLE; ROLLBACK TO s", "SELECT set_config('role', 'orders_worker', true)",
            "SELECT * FROM platform.context_keys", "SELECT pg_read_file('postgresql.conf')", "SELECT pg_ls_dir('.')",
            "DO $$ BEGIN PERFORM set_config('role', 'control_plane', true)", "CREATE TEMP TABLE t (x int)",
            "CREATE FUNCTION orders.f() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1",
            "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql RETURN 1", "CREATE SCHEMA mine",
            "CREATE OPERATOR orders.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
            "CREATE VIEW orders.v AS SELECT * FROM orders.orders", "CREATE TABLE orders.t (x int)",
            "CREATE RULE r AS ON SELECT TO orders.orders DO INSTEAD SELECT 1", "TRUNCATE orders.orders CASCADE",
            "ALTER TABLE orders.orders DISABLE ROW LEVEL SECURITY", "DROP POLICY tenant_isolation ON orders.orders",
            "CREATE POLICY p ON orders.orders USING (true)", "LOCK TABLE orders.orders IN ACCESS EXCLUSIVE MODE",
            "COPY orders.orders TO PROGRAM 'cat'", "SELECT lo_import('/etc/passwd')", "SELECT lo_creat(-1)",
            "SELECT pg_advisory_lock(1)", "ALTER ROLE orders_app BYPASSRLS", "GRANT orders_app TO orders_worker",
            "ALTER SYSTEM SET row_security = off", "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM orders.orders",
        ].map { Forgery($0) }
}

@Suite("A statement smuggled into A's transaction")
struct ForgeryTests {
    @Test("shows and changes nothing of B, and leaves nothing to the next borrower", arguments: Forgery.all)
    func nothingOfB(_ forgery: Forgery) async throws {
        try await Neighbours.with(.pool, maximum: 1) { pair in
            let before = try await pair.stateOfB()
            for probe: SQL in [
                "SELECT l.sku FROM orders.order_lines l WHERE l.tenant_id = \(pair.b.tenantID) OR l.sku = 'secret-of-b'",
                "UPDATE orders.orders SET total_minor = 7 WHERE tenant_id = \(pair.b.tenantID)",
                "DELETE FROM orders.order_lines WHERE sku = 'secret-of-b'",
                "INSERT INTO orders.order_lines VALUES (\(pair.b.tenantID), \(pair.orderOfB), 2, 'forged', 1, 1)",
            ] {
                for isCommitted in [false, true] {
                    let seen = try await Self.smuggle(forgery.statements(pair) + [probe], pair, isCommitted)
                    #expect(seen == 0, "\(probe)")
                }
            }
            #expect(try await pair.stateOfB() == before)
            _ = try await Self.smuggle(forgery.statements(pair) + ["SELECT 1"], pair, true)
            try await Self.expectCleanConnection(pair)
        }
    }

    /// How many rows the last statement touched, nothing where something was refused.
    private static func smuggle(_ statements: [SQL], _ pair: Neighbours, _ isCommitted: Bool) async throws -> Int {
        try await pair.raw(pair.a, entering: true) { connection, _ in
            do {
                let results = try await connection.flight(statements.map { Statement($0, prepare: false) })
                // What B has shows in any of the answers.
                for rows in results.dropLast() {
                    for row in rows {
                        #expect((try? row.decode(String.self))?.contains("secret-of-b") != true)
                    }
                }
                if isCommitted { _ = try await connection.flight([Statement("COMMIT")]) }
                return results[results.count - 1].affected
            } catch let error as PostgresError {
                #expect(error.sqlState != nil, "\(error)")
                return 0
            }
        }
    }

    @Test("with A's own signature opens A again and nobody else")
    func replay() async throws {
        try await Neighbours.with(.pool, maximum: 1) { pair in
            try await pair.raw(pair.a, entering: true) { connection, _ in
                let context = "\(pair.a.tenantID.hexDigits),orders_app"
                let mac = TestDataPlane.contextKey.code(for: "\(context),\(connection.serverProcess ?? 0)")
                let results = try await connection.flight([
                    Statement("SELECT platform.enter(\(context), 0, \(mac))"),
                    Statement("SELECT sku FROM orders.order_lines"), Statement("SET LOCAL ROLE orders_worker"),
                    Statement("SELECT platform.enter(\(context), 0, \(mac))"),
                    Statement("SELECT count(*) FROM orders.outbox"),
                ])
                #expect(try results[1].map { try $0.decode(String.self) } == [Neighbours.secretOfA])
                #expect(try results[4][0].decode(Int64.self) == 0)
            }
        }
    }

    @Test("with a signature that was made for another connection opens nothing")
    func captured() async throws {
        try await Neighbours.with(.pool, maximum: 2) { pair in
            let settings = try pair.plane.pool.settings
            let first = try await PostgresConnection.connect(settings, logger: .silent)
            defer { first.close() }
            do {
                let context = "\(pair.b.tenantID.hexDigits),orders_app"
                let mac = TestDataPlane.contextKey.code(for: "\(context),\(first.serverProcess ?? 0)")
                _ = try await first.flight([
                    Statement("BEGIN"), Statement("SET LOCAL ROLE orders_app"),
                    Statement("SELECT platform.enter(\(context), 0, \(mac))"), Statement("ROLLBACK"),
                ])
                let error = await #expect(throws: PostgresError.self) {
                    try await pair.raw(pair.a, entering: true) { second, _ in
                        #expect(second.serverProcess != first.serverProcess)
                        _ = try await second.query("SELECT platform.enter(\(context), 0, \(mac))")
                    }
                }
                #expect(error?.sqlState == "AT003")
            }
        }
    }

    private static func expectCleanConnection(_ pair: Neighbours) async throws {
        let pool = try pair.plane.pool
        try await pool.withConnection { connection in
            let settings = try await connection.query(
                """
                SELECT current_user::text, current_setting('backtrace_functions'), current_setting('row_security'), \
                current_setting('search_path'), current_setting('session_replication_role')
                """)[0].decode((String, String, String, String, String).self)
            #expect(settings == ("atrium_app", "", "on", "\"$user\", public", "origin"))
            let error = await #expect(throws: PostgresError.self) {
                _ = try await connection.query("SELECT count(*) FROM orders.orders")
            }
            #expect(error?.sqlState == "42501")
        }
        #expect(try await pair.number("SELECT count(*) FROM orders.orders", as: pair.b) == 1)
    }
}
