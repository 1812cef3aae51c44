import DevStack
import Foundation
import Kernel
import Postgres
import Synchronization
import Testing

@testable import Tenancy
@testable import TestSupport

@Suite("A migration of everything")
struct MigrationFleetTests {
    private static let more = ["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"]

    private static func options(_ change: (inout MigrationOptions) -> Void = { _ in }) -> MigrationOptions {
        var options = MigrationOptions()
        options.lockTimeout = .milliseconds(100)
        options.pause = .milliseconds(10)
        options.tries = 3
        change(&options)
        return options
    }

    private static func run(
        _ files: MigrationFiles, _ databases: [TestDatabase], options: MigrationOptions = options()
    ) async throws -> MigrationReport {
        await FleetMigrator(files, contextKey: SQLFolder.contextKey, options: options, logger: .silent).run(
            try databases.map {
                FleetMigrator.Database(
                    name: $0.name, administrator: try ConnectionSettings($0.address.url), isControl: true)
            })
    }

    @Test("brings every tenant's schemas to the newest files, and says that they are there the next time")
    func many() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            var suffixes: [String] = []
            for _ in 0..<20 { suffixes.append(try await database.makeTenant()) }
            let files = try SQLFolder.files(Self.more)
            let report = try await Self.run(files, [database])
            #expect(report.isSuccess, "\(report.text)")
            #expect(report.databases[0].applied.count == 21)
            #expect(
                try await database.texts(
                    "SELECT n.nspname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relname = 'more'"
                ).sorted()
                    == (["orders"] + suffixes.map { "orders__\($0)" }).sorted())
            let again = try await Self.run(files, [database])
            #expect(again.isSuccess && again.databases[0].applied.isEmpty)
            #expect(
                again.databases[0].schemas.count == files.baseSchemas(control: true).count + 20 * files.contexts.count)
            #expect(again.text.contains("\(database.name): up to date"))
        }
    }

    @Test("goes past a schema that fails, names it, and is mended by running again")
    func oneFails() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            var suffixes: [String] = []
            for _ in 0..<5 { suffixes.append(try await database.makeTenant()) }
            let bad = "orders__\(suffixes[2])"
            try await database.run("CREATE TABLE \(identifier: bad).more (planted int)")
            let files = try SQLFolder.files(Self.more)
            let report = try await Self.run(files, [database])
            #expect(!report.isSuccess)
            #expect(report.databases[0].applied.count == 5)
            #expect(report.databases[0].schemas.filter { $0.failure != nil }.map(\.schema) == [bad])
            #expect(report.text.contains("\(bad): failed: \(bad): orders/0900_more.sql failed and changed nothing"))
            try await database.run("DROP TABLE \(identifier: bad).more")
            let again = try await Self.run(files, [database])
            #expect(again.isSuccess)
            #expect(again.databases[0].applied.map(\.schema) == [bad])
        }
    }

    @Test("keeps a context's tenants back where the context itself has failed, and no other context's")
    func baseFails() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = try await database.makeTenant()
            let files = try SQLFolder.files([
                "orders/0900_more.sql": "SELECT 1 / 0;", "billing/0900_more.sql": "CREATE TABLE more (tenant_id uuid);",
            ])
            let report = try await Self.run(files, [database])
            let failures = Dictionary(uniqueKeysWithValues: report.databases[0].schemas.map { ($0.schema, $0.failure) })
            guard case .failed? = failures["orders"] ?? nil else {
                throw report.databases[0].schemas[0].failure ?? .earlierLayout
            }
            #expect(failures["orders__\(suffix)"] == .some(.waits(for: "orders")))
            #expect(report.databases[0].applied.map(\.schema) == ["billing", "billing__\(suffix)"])
        }
    }

    @Test("goes past a database that can't be reached, and past one that is still to be made")
    func unreachable() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let nowhere = ConnectionSettings(host: "127.0.0.1", port: 1, user: "postgres", database: "postgres")
            var missing = try ConnectionSettings(database.address.url)
            missing.database = "nobody_made_this"
            let here = try ConnectionSettings(database.address.url)
            let fleet = FleetMigrator(
                try SQLFolder.files(Self.more), contextKey: SQLFolder.contextKey, options: Self.options(),
                logger: .silent)
            let report = await fleet.run([
                .init(name: "gone", administrator: nowhere, isControl: false),
                .init(name: "early", administrator: missing, isControl: false, isSilo: true),
                .init(name: "lost", administrator: missing, isControl: false),
                .init(name: "here", administrator: here, isControl: true),
            ])
            #expect(report.databases.map(\.database) == ["gone", "early", "lost", "here"])
            #expect(report.databases.map(\.hasFailed) == [true, false, true, false])
            #expect(report.databases[1].isAbsent)
            #expect(report.databases[3].applied.map(\.description) == ["orders/0900_more.sql"])
            #expect(report.text.contains("gone: failed: "))
            #expect(
                report.json["databases"]?[3]?["schemas"]?.elements?.contains { $0["state"]?.string == "applied" }
                    == true)
        }
    }

    @Test("does no more at once than it is told to")
    func limit() async throws {
        let settings = ConnectionSettings(host: "nowhere", user: "nobody", database: "none")
        let fleet = FleetMigrator(
            try SQLFolder.files(), contextKey: SQLFolder.contextKey, options: Self.options { $0.databases = 3 },
            logger: .silent)
        let databases = (0..<12).map {
            FleetMigrator.Database(name: "\($0)", administrator: settings, isControl: false)
        }
        let running = Mutex((now: 0, most: 0))
        let names = await fleet.eachOf(databases) { database in
            running.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
            for _ in 0..<20 { await Task.yield() }
            running.withLock { $0.now -= 1 }
            return database.name
        }
        #expect(names == databases.map(\.name))
        #expect(running.withLock { $0.most } == 3)
    }

    // MARK: Locks

    private static let alteration = ["orders/0900_more.sql": "ALTER TABLE orders ADD COLUMN note text;"]

    @Test("gives up a lock that it does not get, and tries again until it gets it")
    func lock() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let reader = try await PostgresConnection.connect(ConnectionSettings(database.address.url), logger: .silent)
            defer { reader.close() }
            _ = try await reader.flight([Statement("BEGIN"), Statement("SELECT count(*) FROM orders.orders")])
            let files = try SQLFolder.files(Self.alteration)
            async let migrated = Self.run(files, [database], options: Self.options { $0.tries = 1000 })
            try await Waiting.until("it has waited and given up more than once") {
                try await database.texts(
                    "SELECT 'waits' FROM pg_locks WHERE relation = 'orders.orders'::regclass AND NOT granted"
                ).count == 1
            }
            try await Waiting.until("it no longer waits") {
                try await database.texts(
                    "SELECT 'waits' FROM pg_locks WHERE relation = 'orders.orders'::regclass AND NOT granted"
                ).isEmpty
            }
            _ = try await reader.flight([Statement("COMMIT")])
            let report = try await migrated
            #expect(report.isSuccess, "\(report.text)")
            #expect(report.databases[0].applied.count == 1)
        }
    }

    @Test("says who is in the way when it never gets the lock")
    func blocked() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let reader = try await PostgresConnection.connect(ConnectionSettings(database.address.url), logger: .silent)
            defer { reader.close() }
            _ = try await reader.flight([Statement("BEGIN"), Statement("SELECT count(*) FROM orders.orders")])
            let report = try await Self.run(SQLFolder.files(Self.alteration), [database])
            #expect(report.databases[0].schemas.compactMap(\.failure) == [.blocked("orders/0900_more.sql", tries: 3)])
        }
    }

    @Test("ends a file that takes longer than it may")
    func statementTimeout() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let files = try SQLFolder.files(["orders/0900_long.sql": "SELECT pg_sleep(60);"])
            let report = try await Self.run(
                files, [database], options: Self.options { $0.statementTimeout = .milliseconds(100) })
            #expect(report.text.contains("statement timeout"), "\(report.text)")
        }
    }

    // MARK: Indexes

    private static let index = [
        "orders/0900_index.sql":
            "-- For a report.\nCREATE INDEX CONCURRENTLY orders_by_note ON orders (tenant_id, state);\n"
    ]

    private static func indexes(_ database: TestDatabase) async throws -> [String] {
        try await database.texts(
            """
            SELECT format('%s %s', n.nspname, CASE WHEN i.indisvalid THEN 'valid' ELSE 'broken' END)
            FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relname = 'orders_by_note' ORDER BY 1
            """)
    }

    @Test("makes an index concurrently in each schema, and plainly in those that are made later")
    func concurrentIndex() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffixes = try await [database.makeTenant(), database.makeTenant()]
            let files = try SQLFolder.files(Self.index)
            let report = try await Self.run(files, [database])
            #expect(report.isSuccess, "\(report.text)")
            let later = try await database.makeTenant(files)
            #expect(
                try await Self.indexes(database)
                    == (["orders valid"] + (suffixes + [later]).map { "orders__\($0) valid" }).sorted())
        }
    }

    @Test("writes are not held up while an index is made")
    func writesGoOn() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            // An old transaction keeps the index from being ready; it holds nobody else up.
            let old = try await PostgresConnection.connect(ConnectionSettings(database.address.url), logger: .silent)
            defer { old.close() }
            _ = try await old.flight([
                Statement("BEGIN ISOLATION LEVEL REPEATABLE READ"), Statement("SELECT count(*) FROM orders.orders"),
            ])
            let files = try SQLFolder.files(Self.index)
            async let migrated = Self.run(files, [database])
            try await Waiting.until("the index is there and not ready") {
                try await Self.indexes(database) == ["orders broken"]
            }
            try await database.run(
                "INSERT INTO orders.orders VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'EUR', 'draft', 1, now(), now(), 1)"
            )
            _ = try await old.flight([Statement("COMMIT")])
            let report = try await migrated
            #expect(report.isSuccess, "\(report.text)")
            #expect(try await Self.indexes(database) == ["orders valid"])
        }
    }

    @Test("removes half an index that an earlier try has left, and takes a whole one for done")
    func brokenIndex() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let suffix = try await database.makeTenant()
            // One try was broken off, the other had done everything but write it down.
            try await database.run(
                "CREATE INDEX orders_by_note ON orders.orders (tenant_id, state)",
                "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders.orders_by_note'::regclass",
                "CREATE INDEX orders_by_note ON \(identifier: "orders__\(suffix)").orders (tenant_id, state)")
            let report = try await Self.run(SQLFolder.files(Self.index), [database])
            #expect(report.isSuccess, "\(report.text)")
            #expect(try await Self.indexes(database) == ["orders valid", "orders__\(suffix) valid"])
        }
    }

    @Test("drops an index concurrently, once")
    func dropIndex() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            let changes = Self.index.merging(["orders/0901_drop.sql": "DROP INDEX CONCURRENTLY orders_by_note;"]) { $1 }
            let files = try SQLFolder.files(changes)
            #expect(try await Self.run(files, [database]).isSuccess)
            #expect(try await Self.indexes(database) == [])
            // Dropped, and killed before it was written down.
            try await database.run("DELETE FROM atrium_migrations.applied WHERE number = 901")
            #expect(try await Self.run(files, [database]).isSuccess)
        }
    }

    @Test(
        "migrates 200 tenants in under a minute",
        .enabled(if: ProcessInfo.processInfo.environment["ATRIUM_MEASURE"] != nil))
    func measure() async throws {
        try await PostgresServer.withDedicated(durable: true) { server in
            let address = server.primary.address.database("measured")
            try await PostgresConnection.execute("CREATE DATABASE measured", at: server.primary.address)
            let database = TestDatabase(address: address, server: try await PostgresServer.shared())
            try await SQLFolder.migrate(SQLFolder.files(), database)
            try await database.run(
                "ALTER ROLE atrium_provisioner PASSWORD 'atrium'", "ALTER ROLE atrium_app PASSWORD 'atrium'")
            var start = ContinuousClock.now
            for _ in 0..<200 { try await database.makeTenant() }
            print("200 tenants' schemas were made in \(start.duration(to: .now))")
            let files = try SQLFolder.files([
                "orders/0900_more.sql":
                    "CREATE TABLE notes (tenant_id uuid NOT NULL, id uuid, PRIMARY KEY (tenant_id, id)); SELECT platform.protect('notes');",
                "billing/0900_more.sql": "ALTER TABLE invoices ADD COLUMN note text;",
                "metering/0900_more.sql": "CREATE INDEX CONCURRENTLY more ON meters (tenant_id, unit);",
            ])
            for title in ["three files for each", "nothing to do"] {
                start = .now
                #expect(try await Self.run(files, [database]).isSuccess)
                print("200 tenants migrated, \(title): \(start.duration(to: .now))")
            }
            start = .now
            _ = try await database.guardFindings()
            print("the guard looked at 200 tenants in \(start.duration(to: .now))")
        }
    }
}
