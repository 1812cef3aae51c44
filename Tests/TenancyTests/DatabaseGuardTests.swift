import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The database guard")
struct DatabaseGuardTests {
    @Test("finds nothing in a database as it should be, with tenants that have schemas of their own")
    func clean() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await database.makeTenant()
            #expect(try await database.guardFindings() == [])
        }
    }

    @Test("finds nothing in a database that is not the control plane's")
    func dataPlane() async throws {
        // For the password of its login, which belongs to the whole server.
        try await PostgresServer.withDatabase(.migrated) { _ in }
        try await PostgresServer.withDatabase(.empty) { database in
            try await SQLFolder.migrate(SQLFolder.files(), database, control: false)
            #expect(try await database.guardFindings(isControl: false) == [])
            #expect(
                try await database.guardFindings(isControl: true)
                    .contains { $0.contains("control/0001_control.sql has not been applied to control") })
        }
    }

    /// Runs the statements as the superuser; `TENANT` stands for the suffix of a tenant with schemas of its own.
    private static func expect(_ finding: String, after sql: String) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = (sql + finding).contains("TENANT") ? try await database.makeTenant() : ""
            let (sql, finding) = (
                sql.replacing("TENANT", with: suffix), finding.replacing("TENANT", with: suffix)
            )
            for statement in sql.split(separator: "; ") {
                try await database.run("\(unsafeSQL: String(statement))")
            }
            let findings = try await database.guardFindings()
            #expect(findings.contains { $0.contains(finding) }, "\(findings)")
        }
    }

    @Test(
        "names what is wrong with a table",
        arguments: Faults.tables)
    func table(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test(
        "names what is wrong with a policy",
        arguments: Faults.policies)
    func policy(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test(
        "names rights that nobody should have",
        arguments: Faults.rights)
    func right(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test("names the right to make temporary tables and schemas", arguments: ["TEMPORARY", "CREATE"])
    func databaseRight(_ right: String) async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await database.run("GRANT \(unsafeSQL: right) ON DATABASE \(unsafeSQL: database.name) TO PUBLIC")
            let findings = try await database.guardFindings()
            #expect(findings.contains { $0.contains("everyone may make objects in the database") }, "\(findings)")
        }
    }

    @Test(
        "names views and functions that look with others' eyes",
        arguments: Faults.code)
    func code(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test(
        "names keys that tell one tenant of another",
        arguments: Faults.keys)
    func key(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test(
        "names files that were not applied, were changed, or are of another version",
        arguments: Faults.applied)
    func applied(_ sql: String, _ finding: String) async throws {
        try await Self.expect(finding, after: sql)
    }

    @Test(
        "tries the signature, whatever the catalogue says",
        arguments: Faults.signatures)
    func signature(_ sql: String, _ finding: String) async throws {
        // A semicolon within a body is no end of a statement.
        try await PostgresServer.withDatabase(.migrated) { database in
            try await database.run("\(unsafeSQL: sql.replacing("\\;", with: ";"))")
            let findings = try await database.guardFindings()
            #expect(findings.contains { $0.contains(finding) }, "\(findings)")
        }
    }

    @Test("names a program whose secret is not the database's")
    func otherSecret() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let findings = try await database.guardFindings(
                key: ContextKey(secret: Array("the secret of another installation".utf8)))
            #expect(findings.count == 1)
            #expect(findings.first?.contains("does not accept what this program signs") == true, "\(findings)")
        }
    }
}
