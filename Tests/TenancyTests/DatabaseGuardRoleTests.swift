import DevStack
import Foundation
import Kernel
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// Roles belong to the whole server, so each case has a login of its own.
@Suite("The database guard, on roles")
struct DatabaseGuardRoleTests {
    /// `MINE` stands for the login, and `MINE_app` for a role that it may become.
    private static func expect(_ finding: String, after statements: [String]) async throws {
        let role = "guard_\(UUID().uuidString.prefix(8).lowercased())"
        try await PostgresServer.withDatabase(.migrated) { database in
            let arrangement = [
                "CREATE ROLE MINE LOGIN NOINHERIT PASSWORD 'atrium'", "CREATE ROLE MINE_app NOINHERIT",
                "GRANT MINE_app TO MINE", "GRANT CONNECT ON DATABASE HERE TO MINE",
                "GRANT USAGE ON SCHEMA atrium_migrations TO MINE",
                "GRANT SELECT ON atrium_migrations.applied TO MINE",
            ]
            for statement in arrangement + statements {
                let sql = statement.replacing("MINE", with: role).replacing("HERE", with: database.name)
                try await database.run("\(unsafeSQL: sql)")
            }
            let wanted = finding.replacing("MINE", with: role)
            let findings = try await database.guardFindings(as: role)
            #expect(findings.contains { $0.contains(wanted) }, "\(findings)")
            try await database.run(
                "DROP OWNED BY \(unsafeSQL: role), \(unsafeSQL: role)_app",
                "DROP ROLE \(unsafeSQL: role), \(unsafeSQL: role)_app")
        }
    }

    @Test(
        "names what is wrong with the login",
        arguments: [
            ("SUPERUSER", "is a superuser"), ("BYPASSRLS", "is BYPASSRLS"), ("CREATEROLE", "is CREATEROLE"),
            ("CREATEDB", "is CREATEDB"), ("REPLICATION", "is REPLICATION"), ("INHERIT", "is INHERIT"),
        ])
    func login(_ attribute: String, _ finding: String) async throws {
        try await Self.expect("login role MINE \(finding)", after: ["ALTER ROLE MINE \(attribute)"])
    }

    @Test(
        "names what is wrong with a role that the login may become",
        arguments: [
            ("ALTER ROLE MINE_app SUPERUSER", "MINE may become MINE_app, which is a superuser"),
            ("ALTER ROLE MINE_app BYPASSRLS", "MINE may become MINE_app, which has BYPASSRLS"),
            ("ALTER ROLE MINE_app CREATEROLE", "role MINE_app is CREATEROLE"),
            ("ALTER ROLE MINE_app CREATEDB", "role MINE_app is CREATEDB"),
            ("ALTER ROLE MINE_app REPLICATION", "role MINE_app is REPLICATION"),
            ("ALTER ROLE MINE_app LOGIN", "role MINE_app is LOGIN"),
            ("GRANT atrium_owner TO MINE", "may become atrium_owner, which owns tables"),
            ("GRANT pg_read_all_data TO MINE_app", "may become pg_read_all_data, which has rights on the whole server"),
            ("GRANT SET ON PARAMETER backtrace_functions TO MINE_app", "role MINE_app may set backtrace_functions"),
            (
                "ALTER ROLE MINE_app IN DATABASE HERE SET backtrace_functions = 'x'",
                "backtrace_functions, where the tenant of a transaction is kept, is preset"
            ),
            ("GRANT orders_app TO MINE", "the login may not become billing_app"),
        ])
    func role(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: [sql])
    }

    @Test(
        "knows the versions that give rows away through statistics",
        arguments: [
            ("14.23", true), ("15.13", true), ("15.14", false), ("15.18 (Debian 15.18-0+deb12u1)", false),
            ("16.9", true), ("16.10", false), ("17.5", true), ("17.6", false), ("9.6.24", true), ("", true),
        ])
    func version(_ version: String, _ isRefused: Bool) {
        #expect((ServerVersionCheck(version).finding != nil) == isRefused)
        #expect(ServerVersionCheck(version).warning == nil)
    }

    @Test("warns of versions that nobody has tried", arguments: ["18.0", "18beta2", "19devel"])
    func newVersion(_ version: String) {
        #expect(ServerVersionCheck(version).finding == nil)
        #expect(ServerVersionCheck(version).warning?.contains("newer than what Atrium was tested with") == true)
    }
}
