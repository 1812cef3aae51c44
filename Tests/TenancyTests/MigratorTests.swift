import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The migrator")
struct MigratorTests {
    /// A copy of the project's SQL, with files added or changed.
    private static func files(_ changes: [String: String] = [:]) throws -> MigrationFiles {
        let folder = FileManager.default.temporaryDirectory.appending(path: "atrium-sql-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.copyItem(at: Places.packageRoot.appending(path: "schemas/sql"), to: folder)
        for (path, text) in changes {
            let url = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return try MigrationFiles(directory: folder)
    }

    private static func migrate(_ files: MigrationFiles, _ database: TestDatabase) async throws -> [String] {
        try await Migrator(files, administrator: ConnectionSettings(database.address.url), logger: .silent).run()
            .map { "\($0.context)/\($0.name)" }
    }

    @Test("applies each file once, the platform's first, and then only what is new")
    func incremental() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let first = try await Self.migrate(try Self.files(), database)
            #expect(first.first == "platform/0001_platform.sql")
            #expect(first.contains("orders/0001_orders.sql"))
            #expect(try await Self.migrate(try Self.files(), database) == [])
            let more = try Self.files(["orders/0900_more.sql": "CREATE TABLE orders.more (tenant_id uuid);"])
            #expect(try await Self.migrate(more, database) == ["orders/0900_more.sql"])
        }
    }

    @Test("leaves everything to the owner role, nothing to the administrator")
    func ownership() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let owners = try await PostgresConnection.execute(
                """
                SELECT DISTINCT relowner::regrole::text FROM pg_class
                WHERE relnamespace::regnamespace::text IN ('platform', 'identity', 'orders', 'billing', 'metering')
                """, at: database.address)
            #expect(try owners.map { try $0.decode(String.self) } == ["atrium_owner"])
        }
    }

    @Test("undoes a file that fails, names it, and goes on from there when it is mended")
    func failure() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let broken = try Self.files([
                "orders/0900_broken.sql": "CREATE TABLE orders.half (tenant_id uuid); SELECT 1 / 0;"
            ])
            let error = await #expect(throws: MigrationError.self) { try await Self.migrate(broken, database) }
            #expect("\(error!)".contains("orders/0900_broken.sql failed"))
            let half = try await PostgresConnection.execute(
                "SELECT to_regclass('orders.half') IS NULL", at: database.address)
            #expect(try half[0].decode(Bool.self))
            let mended = try Self.files(["orders/0900_broken.sql": "CREATE TABLE orders.half (tenant_id uuid);"])
            #expect(try await Self.migrate(mended, database) == ["orders/0900_broken.sql"])
        }
    }

    @Test("refuses a file that was changed after it was applied, and a database from the future")
    func drift() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let changed = try Self.files(["orders/0001_orders.sql": "SELECT 1;"])
            await #expect(throws: MigrationError.changed("orders/0001_orders.sql")) {
                try await Self.migrate(changed, database)
            }
            let more = try Self.files(["orders/0900_more.sql": "SELECT 1;"])
            _ = try await Self.migrate(more, database)
            await #expect(throws: MigrationError.unknown("orders/900")) {
                try await Self.migrate(try Self.files(), database)
            }
        }
    }

    @Test("may run from several processes at once")
    func concurrency() async throws {
        try await PostgresServer.withDatabase(.empty) { database in
            let files = try Self.files()
            let applied = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await Self.migrate(files, database).count } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(applied.sorted() == [0, 0, 0, files.files.count])
        }
    }

    @Test(
        "refuses names that say nothing of their order",
        arguments: ["orders/one.sql", "orders/1_x.sql", "orders/0000_x.sql"])
    func names(_ path: String) {
        #expect(throws: MigrationError.badName(path)) { try Self.files([path: "SELECT 1;"]) }
    }

    @Test("refuses two files of one number")
    func duplicates() {
        #expect(throws: MigrationError.duplicateNumber("orders/0001_other.sql")) {
            // Sorted by name, the added file comes after the project's own.
            try Self.files(["orders/0001_other.sql": "SELECT 1;", "orders/0001_orders.sql": "SELECT 1;"])
        }
    }

    @Test("says what to do where its files are not to be found")
    func missing() {
        let error = #expect(throws: MigrationError.self) {
            try MigrationFiles(directory: URL(filePath: "/nonexistent/schemas/sql"))
        }
        #expect("\(error!)".contains("ATRIUM_SCHEMAS"))
    }
}
