import DevStack
import Foundation
import Kernel
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Tenancy

@Suite("A backfill")
struct BackfillTests {
    private static let orders = ContextRole.app("orders")

    /// Counts in each order's version how often it was gone through.
    private static let counting = """
        WITH page AS (
            SELECT id FROM orders.orders WHERE :after IS NULL OR id > :after ORDER BY id LIMIT :limit
        ), filled AS (
            UPDATE orders.orders o SET version = version + 1 FROM page WHERE o.id = page.id
        )
        SELECT id FROM page
        """

    private static func definition(_ statement: String = counting) throws -> BackfillDefinition {
        try BackfillReader(
            context: "orders", title: "0001_count",
            text: "-- table: orders\n-- key: id\n-- type: uuid\n-- batch: 3\n" + statement
        ).read()
    }

    /// A tenant with that many orders, of version 1.
    private static func tenant(_ plane: TestDataPlane, orders count: Int) async throws -> Residence {
        let tenant = TenantContext.test()
        try await plane.dataPlane.write(tenant, as: orders) { transaction in
            for _ in 0..<count {
                let id: Identifier<Void> = IdentifierSource.system.next()
                transaction.enqueue(
                    """
                    INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, \
                    updated_at, version)
                    VALUES (\(tenant.tenantID), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
                    """)
            }
        }
        return try await plane.dataPlane.residence(of: tenant.tenantID)
    }

    private static func versions(_ plane: TestDataPlane, _ tenant: Residence) async throws -> [Int64] {
        try await plane.dataPlane.query(
            .test(tenant.tenantID), as: orders, "SELECT version FROM orders.orders ORDER BY id"
        ).map { try $0.decode(Int64.self) }
    }

    private static func progress(_ plane: TestDataPlane, _ tenant: Residence) async throws -> BackfillProgress? {
        try await BackfillProgress.read(
            try definition(), of: tenant.tenantID, as: orders, plane: plane.dataPlane, logger: .silent)
    }

    private static func run(
        _ plane: TestDataPlane, _ statement: String = counting, pace: BackfillPace = BackfillPace(),
        report: @escaping @Sendable (BackfillEvent) -> Void = { _ in }
    ) throws -> BackfillRun {
        BackfillRun(
            try definition(statement), as: orders, plane: plane.dataPlane, pace: pace, logger: .silent, report: report)
    }

    private final class Events: Sendable {
        private let texts = Mutex<[String]>([])
        var all: [String] { texts.withLock { $0 } }

        func add(_ event: BackfillEvent) {
            texts.withLock { texts in
                switch event {
                case .batch(_, let keys, let total): texts.append("\(keys) of \(total)")
                case .held: texts.append("held")
                case .repeated(_, let error): texts.append("repeated \((error as? PostgresError)?.sqlState ?? "-")")
                case .done(_, let total): texts.append("done \(total)")
                case .failed(_, let error): texts.append("failed \((error as? PostgresError)?.sqlState ?? "\(error)")")
                }
            }
        }
    }

    @Test(
        "goes through every row of every tenant that it is run for, once, and through no other's",
        arguments: Tier.allCases)
    func everyRow(tier: Tier) async throws {
        try await TestDataPlane.with(tier: tier) { plane in
            let filled = [try await Self.tenant(plane, orders: 7), try await Self.tenant(plane, orders: 3)]
            let other = try await Self.tenant(plane, orders: 4)
            let empty = try await Self.tenant(plane, orders: 0)
            let events = Events()
            #expect(try await Self.run(plane, report: events.add).run(filled + [empty]) == 0)
            #expect(try await Self.versions(plane, filled[0]) == Array(repeating: 2, count: 7))
            #expect(try await Self.versions(plane, filled[1]) == Array(repeating: 2, count: 3))
            #expect(try await Self.versions(plane, other) == Array(repeating: 1, count: 4))
            #expect(events.all == ["3 of 3", "3 of 6", "1 of 7", "done 7", "3 of 3", "done 3", "done 0"])
            let progress = try #require(try await Self.progress(plane, filled[0]))
            #expect(progress.rows == 7 && progress.doneAt != nil)
            #expect(try await Self.progress(plane, other) == nil)
            // What is done is done.
            _ = try await Self.run(plane).run(filled)
            #expect(try await Self.versions(plane, filled[0]) == Array(repeating: 2, count: 7))
        }
    }

    @Test("that is cut off goes on with the next batch", arguments: Tier.allCases)
    func cutOff(tier: Tier) async throws {
        try await TestDataPlane.with(tier: tier) { plane in
            let tenant = try await Self.tenant(plane, orders: 10)
            let batches = Mutex(0)
            let run = try Self.run(plane) { event in
                guard case .batch = event,
                    batches.withLock({
                        $0 += 1
                        return $0
                    }) == 2
                else { return }
                withUnsafeCurrentTask { $0?.cancel() }
            }
            let first = Task { try await run.run([tenant]) }
            await #expect(throws: CancellationError.self) { try await first.value }
            #expect(try await Self.versions(plane, tenant) == [2, 2, 2, 2, 2, 2, 1, 1, 1, 1])
            #expect(try await Self.progress(plane, tenant)?.rows == 6)
            let events = Events()
            #expect(try await Self.run(plane, report: events.add).run([tenant]) == 0)
            #expect(events.all == ["3 of 9", "1 of 10", "done 10"])
            #expect(try await Self.versions(plane, tenant) == Array(repeating: 2, count: 10))
        }
    }

    @Test("keeps no batch whose progress could not be kept, and the tenants after it have their turn")
    func together() async throws {
        try await TestDataPlane.with { plane in
            let (tenant, next) = (try await Self.tenant(plane, orders: 7), try await Self.tenant(plane, orders: 2))
            try await plane.asSuperuser(
                "ALTER TABLE platform.backfill_progress ADD CONSTRAINT planted CHECK (rows <> 6)")
            let events = Events()
            #expect(try await Self.run(plane, report: events.add).run([tenant, next]) == 1)
            #expect(events.all == ["3 of 3", "failed 23514", "2 of 2", "done 2"])
            #expect(try await Self.versions(plane, tenant) == [2, 2, 2, 1, 1, 1, 1])
            try await plane.asSuperuser("ALTER TABLE platform.backfill_progress DROP CONSTRAINT planted")
            #expect(try await Self.run(plane).run([tenant, next]) == 0)
            #expect(try await Self.versions(plane, tenant) == Array(repeating: 2, count: 7))
            #expect(try await Self.versions(plane, next) == [2, 2])
        }
    }

    @Test("run twice at the same time goes through each row once")
    func atOnce() async throws {
        try await TestDataPlane.with { plane in
            let tenant = try await Self.tenant(plane, orders: 30)
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    let run = try Self.run(plane)
                    group.addTask { try await run.run([tenant]) }
                }
                for try await failed in group { #expect(failed == 0) }
            }
            #expect(try await Self.versions(plane, tenant) == Array(repeating: 2, count: 30))
            #expect(try await Self.progress(plane, tenant)?.rows == 30)
        }
    }

    @Test("that reaches for another tenant's rows changes nothing of theirs", arguments: Tier.allCases)
    func reachingOut(tier: Tier) async throws {
        try await TestDataPlane.with(tier: tier) { plane in
            let (tenant, victim) = (try await Self.tenant(plane, orders: 2), try await Self.tenant(plane, orders: 3))
            let place = victim.placement.schemas.name(of: "orders")
            // Quoted, the name stays as it is written.
            for table in ["orders.orders", "\"\(place)\".orders"] {
                let events = Events()
                let greedy = """
                    UPDATE \(table) SET version = 100 WHERE tenant_id = '\(victim.tenantID)'
                        AND (:after IS NULL OR id > :after) AND :limit > 0 RETURNING id
                    """
                _ = try await Self.run(plane, greedy, report: events.add).run([tenant])
                #expect(events.all == ["done 0"])
                try await plane.dataPlane.write(.test(tenant.tenantID), as: Self.orders) {
                    $0.enqueue("UPDATE platform.backfill_progress SET done_at = NULL, last_key = NULL")
                }
            }
            let giving = """
                WITH given AS (
                    INSERT INTO platform.backfill_progress (tenant_id, backfill)
                    VALUES ('\(victim.tenantID)', 'orders/0009_planted')
                )
                SELECT id FROM orders.orders WHERE :after IS NULL OR id > :after ORDER BY id LIMIT :limit
                """
            let events = Events()
            #expect(try await Self.run(plane, giving, report: events.add).run([tenant]) == 1)
            #expect(events.all == ["failed 42501"])
            #expect(try await Self.versions(plane, victim) == [1, 1, 1])
            #expect(try await Self.versions(plane, tenant) == [1, 1])
        }
    }

    @Test("waits for replicas that are behind or not known yet, and for none that is away")
    func lag() async throws {
        try await PostgresServer.withDatabase(.migrated) { database in
            try await TestDataPlane.with(database, replicas: [database.address, database.address]) { plane in
                let tenant = try await Self.tenant(plane, orders: 5)
                let replicas = plane.fleet.replicated[0].replicas
                _ = replicas[1].become(.away(reason: "gone"))
                let rests = Mutex<[Replica.State]>([])
                let next: [Replica.State] = [
                    .following(position: 0, lag: .seconds(61)), .following(position: 0, lag: .seconds(2.5)),
                    .following(position: 0, lag: .seconds(1.5)),
                ]
                var pace = BackfillPace()
                pace.rest = { _ in
                    #expect(try await Self.versions(plane, tenant) == Array(repeating: 1, count: 5))
                    let count = rests.withLock {
                        $0.append(replicas[0].current)
                        return $0.count
                    }
                    guard count <= next.count else { throw CancellationError() }
                    _ = replicas[0].become(next[count - 1])
                }
                let events = Events()
                #expect(try await Self.run(plane, pace: pace, report: events.add).run([tenant]) == 0)
                #expect(events.all == ["held", "3 of 3", "2 of 5", "done 5"])
                #expect(rests.withLock { $0 } == [.unseen] + next.dropLast())
            }
        }
    }

    @Test("takes a batch back and tries it again when somebody holds a row, and rests between batches as told")
    func locks() async throws {
        try await TestDataPlane.with { plane in
            let tenant = try await Self.tenant(plane, orders: 4)
            let holder = try await PostgresConnection.connect(
                ConnectionSettings(plane.database.address.url), logger: .silent)
            defer { holder.close() }
            _ = try await holder.flight([Statement("BEGIN"), Statement("SELECT FROM orders.orders FOR UPDATE")])
            var pace = BackfillPace()
            pace.lockTimeout = .milliseconds(20)
            pace.pause = .seconds(77)
            let rests = Mutex<[Duration]>([])
            pace.rest = { duration in
                let count = rests.withLock {
                    $0.append(duration)
                    return $0.count
                }
                if count == 2 { _ = try await holder.flight([Statement("ROLLBACK")]) }
            }
            let events = Events()
            #expect(try await Self.run(plane, pace: pace, report: events.add).run([tenant]) == 0)
            #expect(events.all == ["repeated 55P03", "repeated 55P03", "3 of 3", "1 of 4", "done 4"])
            #expect(rests.withLock { $0 } == [.milliseconds(100), .milliseconds(200), .seconds(77), .seconds(77)])
            #expect(try await Self.versions(plane, tenant) == [2, 2, 2, 2])

            _ = try await holder.flight([Statement("BEGIN"), Statement("SELECT FROM orders.orders FOR UPDATE")])
            let other = try await Self.tenant(plane, orders: 1)
            _ = try await holder.flight([Statement("SELECT FROM orders.orders FOR UPDATE")])
            pace.tries = 3
            pace.rest = { _ in }
            let more = Events()
            #expect(try await Self.run(plane, pace: pace, report: more.add).run([other]) == 1)
            #expect(more.all == ["repeated 55P03", "repeated 55P03", "failed 55P03"])
        }
    }

    @Test("is rehearsed without a trace")
    func rehearsal() async throws {
        try await TestDataPlane.with { plane in
            let tenant = try await Self.tenant(plane, orders: 5)
            #expect(try await Self.run(plane).rehearse(tenant) == 3)
            #expect(try await Self.versions(plane, tenant) == [1, 1, 1, 1, 1])
            #expect(try await Self.progress(plane, tenant) == nil)
            _ = try await Self.run(plane).run([tenant])
            #expect(try await Self.run(plane).rehearse(tenant) == 0)
        }
    }

    @Test(
        "whose statement would lose rows or go on for ever is stopped, and nothing is kept",
        arguments: [
            ("UPDATE orders.orders SET version = 9 WHERE :after IS NULL OR :limit > 0", "returns 0 columns"),
            (
                "UPDATE orders.orders SET version = 9 WHERE :after IS NULL OR :limit > 0 RETURNING id, version",
                "returns 2 columns"
            ),
            (
                "SELECT id FROM orders.orders WHERE :after IS NULL OR id >= :after ORDER BY id LIMIT 1 + 0 * :limit",
                "returned no key behind :after"
            ),
            ("SELECT version FROM orders.orders WHERE :after IS NULL OR :limit > 0", "as UUID"),
        ])
    func faults(_ statement: String, _ problem: String) async throws {
        try await TestDataPlane.with { plane in
            let tenant = try await Self.tenant(plane, orders: 2)
            let events = Events()
            #expect(try await Self.run(plane, statement, report: events.add).run([tenant]) == 1)
            #expect(events.all.last?.contains(problem) == true, "\(events.all)")
            #expect(try await Self.versions(plane, tenant) == [1, 1])
        }
    }
}
