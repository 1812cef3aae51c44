import Foundation
import TestSupport
import Testing

@testable import Tenancy

@Suite("The linter of migrations")
struct LintTests {
    private static func rules(_ sql: String) -> [String] {
        MigrationLint.findings(in: sql).map(\.rule.rawValue)
    }

    @Test("judges changes of columns", arguments: LintCases.columns)
    func columns(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test("judges constraints", arguments: LintCases.constraints)
    func constraints(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test("judges indexes", arguments: LintCases.indexes)
    func indexes(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test("judges what locks, moves or removes", arguments: LintCases.locks)
    func locks(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test("judges what touches the fences between tenants", arguments: LintCases.fences)
    func fences(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test("judges everything else, and refuses what it does not know", arguments: LintCases.others)
    func others(_ sql: String, _ rules: [String]) { #expect(Self.rules(sql) == rules) }

    @Test(
        "lets a file do what it likes with what it has just made",
        arguments: [
            "CREATE INDEX by_note ON notes (note)", "ALTER TABLE notes ADD COLUMN a int NOT NULL",
            "ALTER TABLE notes ADD CHECK (note <> '')", "ALTER TABLE notes ALTER note TYPE varchar",
            "UPDATE notes SET note = ''",
            "DROP TABLE notes", "TRUNCATE TABLE notes", "INSERT INTO notes SELECT * FROM orders",
            "CREATE TRIGGER t AFTER INSERT ON notes EXECUTE FUNCTION f()", "LOCK TABLE notes",
        ])
    func newTable(_ sql: String) {
        #expect(Self.rules("CREATE TABLE orders.notes (note text); \(sql)") == [])
        #expect(Self.rules("CREATE TABLE others (note text); \(sql)") != [])
    }

    @Test("does not let it take the fence from it")
    func newTableFence() {
        #expect(
            Self.rules("CREATE TABLE notes (a int); ALTER TABLE notes DISABLE ROW LEVEL SECURITY") == [
                "row-security-off"
            ])
    }

    @Test("tells the line, the rule, why, and the safe way")
    func description() {
        let finding = MigrationLint.findings(
            in: "-- Notes.\nALTER TABLE orders\n    ADD COLUMN a int,\n    DROP COLUMN b;\n")[0]
        #expect(finding.line == 4)
        #expect("\(finding)".hasPrefix("text:4: [drop-column] orders.b breaks the programs that still use it"))
        #expect("\(finding)".contains("Instead: drop it in a release after the last one that uses it"))
    }

    @Test("has an advice of its own for every rule")
    func advice() {
        let advices = LintRule.allCases.map { "\($0.advice.why) \($0.advice.instead)" }
        // Those that share one have one name for the same thing.
        #expect(Set(advices).count >= LintRule.allCases.count - 6)
        for rule in LintRule.allCases { #expect(!rule.advice.why.isEmpty && !rule.advice.instead.isEmpty) }
    }

    // MARK: Reasons

    @Test("takes a reason on the line before")
    func reason() {
        #expect(Self.rules("-- lint: allow drop-table because nothing reads it since 1.4\nDROP TABLE old;") == [])
        #expect(
            Self.rules(
                """
                -- Both are small.
                -- lint: allow add-check because it has ten rows
                -- lint: allow add-unique because it has ten rows
                ALTER TABLE skus ADD CHECK (code <> ''), ADD UNIQUE (code);
                """) == [])
    }

    @Test(
        "refuses a reason that is none",
        arguments: [
            ("-- lint: allow drop-table because\nDROP TABLE old;", ["allow-without-reason", "drop-table"]),
            ("-- lint: allow drop-table\nDROP TABLE old;", ["allow-without-reason", "drop-table"]),
            ("-- lint: allow drop-tabel because it is old\nDROP TABLE old;", ["allow-unknown-rule", "drop-table"]),
            ("-- lint: allow drop-column because it is old\nDROP TABLE old;", ["allow-unused", "drop-table"]),
            ("-- lint: allow drop-table because it is old\n\nDROP TABLE old;", ["allow-unused", "drop-table"]),
            (
                "-- lint: allow drop-table because it is old\nANALYZE orders;\nDROP TABLE old;",
                ["allow-unused", "drop-table"]
            ),
            (
                "-- lint: allow transaction-control because I like it\nCOMMIT;",
                ["allow-unknown-rule", "transaction-control"]
            ),
        ])
    func noReason(_ sql: String, _ rules: [String]) {
        #expect(Self.rules(sql) == rules)
    }

    // MARK: Files

    @Test("finds nothing in the project's own files")
    func project() throws {
        let findings = MigrationLint(try SQLFolder.files()).findings()
        #expect(findings == [], "\(findings.map(\.description).joined(separator: "\n"))")
    }

    private static func findings(_ files: [String: String]) throws -> [String] {
        MigrationLint(try SQLFolder.files(files)).findings().map { "\($0.file) \($0.rule.rawValue)" }
    }

    private static let check = "ALTER TABLE orders ADD CONSTRAINT noted CHECK (note IS NOT NULL)"

    @Test("takes a validated check of earlier files for proof that a column holds no NULL")
    func provenNotNull() throws {
        let setting = "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;"
        let added = ["orders/0900_a.sql": "\(Self.check) NOT VALID;"]
        let validated = added.merging(["orders/0901_b.sql": "ALTER TABLE orders VALIDATE CONSTRAINT noted;"]) { $1 }
        let last = ["orders/0902_c.sql": setting]
        #expect(try Self.findings(validated.merging(last) { $1 }) == [])
        #expect(try Self.findings(added.merging(last) { $1 }) == ["orders/0902_c.sql set-not-null"])
        // Of another column, of another table, of another context, or dropped in between.
        for other in [
            validated.merging(["orders/0902_c.sql": "ALTER TABLE orders ALTER COLUMN state SET NOT NULL;"]) { $1 },
            validated.merging(["orders/0902_c.sql": "ALTER TABLE order_lines ALTER COLUMN note SET NOT NULL;"]) { $1 },
            validated.merging(["billing/0902_c.sql": setting]) { $1 },
            validated.merging([
                "orders/0902_b.sql": "ALTER TABLE orders DROP CONSTRAINT noted;", "orders/0903_c.sql": setting,
            ]) { $1 },
        ] {
            #expect(try Self.findings(other).map { $0.split(separator: " ")[1] } == ["set-not-null"])
        }
    }

    @Test("can be asked for some of the files")
    func someFiles() throws {
        let files = try SQLFolder.files(["orders/0900_a.sql": "DROP TABLE a;", "orders/0901_b.sql": "DROP TABLE b;"])
        #expect(MigrationLint(files).findings(in: ["orders/0901_b.sql"]).map(\.subject) == ["b"])
    }

    @Test("a file with an index that it lets pass is one that the migrator runs outside a transaction")
    func concurrentFiles() throws {
        for (sql, rules) in LintCases.indexes where sql.contains("CONCURRENTLY") && !sql.contains("REINDEX") {
            #expect((ConcurrentIndex(sql) != nil) == rules.isEmpty, "\(sql)")
        }
        #expect(
            ConcurrentIndex("-- Why.\nCREATE INDEX CONCURRENTLY a ON b (c);")?.plain
                == "-- Why.\nCREATE INDEX  a ON b (c);")
        #expect(ConcurrentIndex("SELECT 'CREATE INDEX CONCURRENTLY a ON b (c)'") == nil)
    }
}
