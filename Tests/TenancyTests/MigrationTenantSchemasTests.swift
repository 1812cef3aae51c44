import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("The schemas of a bridge tenant")
struct MigrationTenantSchemasTests {
    private static func tables(_ database: TestDatabase, _ suffix: String) async throws -> [String] {
        try await database.texts(
            """
            SELECT format('%s.%s', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname LIKE \("%\\_\\_" + suffix) ORDER BY 1
            """)
    }

    @Test("are one for each context, with the context's own tables and none of the backbone's")
    func create() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (suffix, files) = (someSuffix(), try SQLFolder.files())
            try await database.asProvisioner { connection in
                #expect(try await TenantSchemas(files).state(suffix: suffix, on: connection) == .absent)
                try await TenantSchemas(files).create(suffix: suffix, on: connection)
                #expect(try await TenantSchemas(files).state(suffix: suffix, on: connection) == .complete)
                #expect(connection.isClean)
            }
            let tables = try await Self.tables(database, suffix)
            for context in files.contexts { #expect(tables.contains { $0.hasPrefix("\(context)__\(suffix).") }) }
            #expect(tables.contains("orders__\(suffix).orders"))
            #expect(!tables.contains { $0.hasSuffix(".outbox") || $0.hasSuffix(".receipts") })
            #expect(!tables.contains { $0.hasPrefix("control") })
        }
    }

    @Test("are made once, however often that is asked for, and what is missing is added")
    func again() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (suffix, files) = (someSuffix(), try SQLFolder.files())
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await database.asProvisioner {
                            try await TenantSchemas(files).create(suffix: suffix, on: $0)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let whole = try await Self.tables(database, suffix)
            try await database.run(
                "DROP SCHEMA \(identifier: "billing__\(suffix)") CASCADE",
                "DELETE FROM atrium_migrations.applied WHERE schema_name = \("billing__\(suffix)")")
            try await database.asProvisioner { connection in
                #expect(try await TenantSchemas(files).state(suffix: suffix, on: connection) == .partial)
                try await TenantSchemas(files).create(suffix: suffix, on: connection)
            }
            #expect(try await Self.tables(database, suffix) == whole)
        }
    }

    @Test("are all there or none of them is")
    func atomicity() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = someSuffix()
            let files = try SQLFolder.files()
            // The last of the contexts can't be made.
            try await database.run("CREATE SCHEMA \(identifier: "orders__\(suffix)")")
            try await database.asProvisioner { connection in
                await #expect(throws: PostgresError.self) {
                    try await TenantSchemas(files).create(suffix: suffix, on: connection)
                }
                #expect(connection.isClean)
            }
            #expect(try await Self.tables(database, suffix) == [])
        }
    }

    @Test("belong to the owner and open to the context's role alone")
    func rights() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (suffix, files) = (someSuffix(), try SQLFolder.files())
            try await database.asProvisioner { try await TenantSchemas(files).create(suffix: suffix, on: $0) }
            #expect(
                try await database.texts(
                    """
                    SELECT DISTINCT c.relowner::regrole::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname LIKE \("%\\_\\_" + suffix)
                    """) == ["atrium_owner"])
            #expect(
                try await database.texts(
                    """
                    SELECT DISTINCT g.grantee::regrole::text FROM pg_class c
                    JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) g
                    WHERE n.nspname = \("orders__\(suffix)") ORDER BY 1
                    """) == ["atrium_owner", "orders_app"])
        }
    }

    @Test("get the files that come later from the migrator")
    func laterFiles() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffixes = [someSuffix(), someSuffix()].sorted()
            let files = try SQLFolder.files()
            try await database.asProvisioner { connection in
                for suffix in suffixes { try await TenantSchemas(files).create(suffix: suffix, on: connection) }
            }
            let more = try SQLFolder.files([
                "orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);",
                "support/0001_support.sql": "CREATE TABLE tickets (tenant_id uuid);",
            ])
            #expect(
                try await SQLFolder.migrate(more, database) == [
                    "orders/0900_more.sql", "support/0001_support.sql",
                    "orders__\(suffixes[0]): orders/0900_more.sql", "support__\(suffixes[0]): support/0001_support.sql",
                    "orders__\(suffixes[1]): orders/0900_more.sql", "support__\(suffixes[1]): support/0001_support.sql",
                ])
            #expect(try await Self.tables(database, suffixes[1]).contains("support__\(suffixes[1]).tickets"))
        }
    }

    @Test("are not made by a version whose files are not those of the database")
    func otherVersion() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = someSuffix()
            let newer = try SQLFolder.files(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"])
            try await database.asProvisioner { connection in
                await #expect(throws: MigrationError.baseDiffers("orders")) {
                    try await TenantSchemas(newer).create(suffix: suffix, on: connection)
                }
            }
            try await SQLFolder.migrate(newer, database)
            let older = try SQLFolder.files()
            try await database.asProvisioner { (connection) async throws -> Void in
                await #expect(throws: MigrationError.baseDiffers("orders/900")) {
                    try await TenantSchemas(older).create(suffix: suffix, on: connection)
                }
                #expect(connection.isClean)
                #expect(try await TenantSchemas(older).state(suffix: suffix, on: connection) == .absent)
            }
        }
    }

    @Test("are seen by a migrator that runs while they are being made")
    func race() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (suffix, files) = (someSuffix(), try SQLFolder.files())
            let more = try SQLFolder.files(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"])
            // Stands for one that is being made: it has looked at the base schemas and has not committed.
            try await database.asProvisioner { (making) async throws -> Void in
                _ = try await making.flight([
                    Statement("BEGIN"),
                    Statement("SELECT pg_advisory_xact_lock_shared(hashtext('atrium.tenant_schemas'))"),
                ])
                async let migrated = SQLFolder.migrate(more, database)
                try await Waiting.until("the migrator waits for it") {
                    try await !database.texts("SELECT mode FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
                        .isEmpty
                }
                _ = try await making.flight([Statement("SET LOCAL ROLE atrium_owner")])
                for statement in try Self.older(files, suffix) {
                    _ = try await making.flight([Statement(statement, prepare: false)])
                }
                _ = try await making.flight([Statement("COMMIT")])
                let applied = try await migrated
                #expect(applied.contains("orders__\(suffix): orders/0900_more.sql"))
            }
        }
    }

    /// What makes the schemas of a tenant and says that the files of old were applied.
    private static func older(_ files: MigrationFiles, _ suffix: String) throws -> [SQL] {
        files.contexts.flatMap { context -> [SQL] in
            let schema = "\(context)__\(suffix)"
            return ["CREATE SCHEMA \(identifier: schema)"]
                + files.files(of: context).map {
                    "INSERT INTO atrium_migrations.applied VALUES (\(schema), \(Int32($0.number)), \($0.name), \($0.checksum))"
                }
        }
    }

    @Test("go with everything in them, and leave the others alone")
    func drop() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let (one, other, files) = (someSuffix(), someSuffix(), try SQLFolder.files())
            try await database.asProvisioner { connection in
                for suffix in [one, other] { try await TenantSchemas(files).create(suffix: suffix, on: connection) }
                for _ in 0..<2 { try await TenantSchemas(files).drop(suffix: one, on: connection) }
                #expect(try await TenantSchemas(files).state(suffix: one, on: connection) == .absent)
                #expect(try await TenantSchemas(files).state(suffix: other, on: connection) == .complete)
            }
            #expect(
                try await database.texts(
                    "SELECT schema_name FROM atrium_migrations.applied WHERE schema_name LIKE \("%" + one)") == [])
        }
    }

    @Test("are made in well under a second")
    func time() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let files = try SQLFolder.files()
            try await database.asProvisioner { connection in
                var shortest = Duration.seconds(100)
                for _ in 0..<5 {
                    let suffix = someSuffix()
                    shortest = min(
                        shortest,
                        try await ContinuousClock().measure {
                            try await TenantSchemas(files).create(suffix: suffix, on: connection)
                        })
                }
                print("a bridge tenant's schemas took \(shortest)")
                #expect(shortest < .seconds(1))
            }
        }
    }
}
