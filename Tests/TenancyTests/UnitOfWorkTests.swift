import Kernel
import Postgres
import Synchronization
import Tenancy
import TestSupport
import Testing

@Suite("A unit of work")
struct UnitOfWorkTests {
    private static let orders = ContextRole.app("orders")

    private static func receipt(_ key: String, body: String = "{}") -> CommandReceipt {
        CommandReceipt(
            key: key, fingerprint: [1, 2, 3], status: 201, headers: [.init(name: "ETag", value: "\"1\"")],
            body: Array(body.utf8))
    }

    private struct Refusal: Error {}

    @Test("that throws changes nothing, runs no action, and its error arrives as it was")
    func rollback() async throws {
        try await TestDataPlane.with { plane in
            let tenant = TenantContext.test()
            let ran = Mutex(false)
            await #expect(throws: Refusal.self) {
                try await plane.dataPlane.write(tenant, as: Self.orders) { (transaction) -> Void in
                    transaction.enqueue(Self.receipt("k"), in: "orders")
                    _ = try await transaction.rowsWriting("SELECT 1")
                    transaction.afterCommit { ran.withLock { $0 = true } }
                    throw Refusal()
                }
            }
            #expect(ran.withLock { $0 } == false)
            let kept = try await ReceiptStore(plane.dataPlane, as: Self.orders).find("k", of: tenant)
            #expect(kept == nil)
        }
    }

    @Test("runs its actions once it has committed")
    func afterCommit() async throws {
        try await TestDataPlane.with { plane in
            let ran = Mutex(0)
            try await plane.dataPlane.write(.test(), as: Self.orders) { transaction in
                transaction.enqueue(Self.receipt("k"), in: "orders")
                transaction.afterCommit { ran.withLock { $0 += 1 } }
                #expect(ran.withLock { $0 } == 0)
            }
            #expect(ran.withLock { $0 } == 1)
        }
    }

    @Test("refuses to read after it has written, since its events could then overtake others")
    func readAfterWrite() async throws {
        try await TestDataPlane.with { plane in
            let refusal = await #expect(throws: ReadAfterWrite.self) {
                try await plane.dataPlane.write(.test(), as: Self.orders) { transaction in
                    _ = try await transaction.rowsWriting("SELECT 1")
                    _ = try await transaction.rows("SELECT 1")
                }
            }
            #expect(refusal?.description.contains("rowsWriting") == true)
        }
    }

    @Test("that expects one row and touches none or several commits nothing")
    func staleVersion() async throws {
        try await TestDataPlane.with { plane in
            let tenant = TenantContext.test()
            for count in [0, 2] {
                for _ in 0..<count {
                    let id: Identifier<Void> = IdentifierSource.system.next()
                    try await plane.dataPlane.write(tenant, as: Self.orders) {
                        $0.enqueue(
                            """
                            INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, \
                            created_at, updated_at, version)
                            VALUES (\(tenant.tenantID), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
                            """)
                    }
                }
                await #expect(throws: StaleVersion.self) {
                    try await plane.dataPlane.write(tenant, as: Self.orders) {
                        $0.enqueueExpectingOne(
                            "UPDATE orders.orders SET version = 2 WHERE tenant_id = \(tenant.tenantID)")
                    }
                }
                let left = try await plane.asSuperuser("SELECT count(*) FROM orders.orders WHERE version = 1")[0]
                    .decode(Int64.self)
                #expect(left == Int64(count))
            }
        }
    }

    @Test("keeps a receipt that is found again, byte for byte, by its own tenant alone")
    func receipt() async throws {
        try await TestDataPlane.with { plane in
            let (a, b) = (TenantContext.test(), TenantContext.test())
            let kept = Self.receipt("order-1", body: #"{"näme":"\u0000"}"#)
            try await plane.dataPlane.write(a, as: Self.orders) { $0.enqueue(kept, in: "orders") }
            let store = ReceiptStore(plane.dataPlane, as: Self.orders)
            #expect(try await store.find("order-1", of: a) == kept)
            #expect(try await store.find("order-1", of: b) == nil)
            #expect(try await store.find("order-2", of: a) == nil)
        }
    }

    @Test("with a key that was used before does nothing; of twenty at once, one takes effect")
    func receiptRace() async throws {
        try await TestDataPlane.with { plane in
            let tenant = TenantContext.test()
            let effects = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        do {
                            try await plane.dataPlane.write(tenant, as: Self.orders) {
                                $0.enqueue(Self.receipt("same"), in: "orders")
                            }
                            return true
                        } catch let error as ReceiptExists {
                            #expect(error.key == "same")
                            return false
                        } catch {
                            Issue.record(error)
                            return false
                        }
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(effects == 1)
        }
    }

    @Test("that only reads can't write")
    func readOnly() async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                try await plane.dataPlane.read(.test(), as: Self.orders) {
                    _ = try await $0.rowsWriting(
                        "INSERT INTO orders.inbox (tenant_id, event_id, reaction) VALUES (platform.tenant_id(), gen_random_uuid(), 'x')"
                    )
                }
            }
            #expect(error?.sqlState == "25006")
        }
    }

    @Test("of receipts past their time deletes those and no others")
    func expiry() async throws {
        try await TestDataPlane.with { plane in
            let tenant = TenantContext.test()
            for key in ["old", "young"] {
                try await plane.dataPlane.write(tenant, as: Self.orders) { $0.enqueue(Self.receipt(key), in: "orders") }
            }
            try await plane.asSuperuser(
                "UPDATE orders.receipts SET created_at = now() - interval '25 h' WHERE key = 'old'")
            try await plane.asSuperuser(
                """
                INSERT INTO control.operator_receipts
                (key, sealed_fingerprint, status, header_names, header_values, body, created_at)
                VALUES ('old', '', 201, '{}', '{}', '', now() - interval '25 h'), ('young', '', 201, '{}', '{}', '', now())
                """)
            let expiry = ReceiptExpiry(
                schemas: ["orders", "control"], dataPlane: plane.dataPlane, in: { plane.homes.databases },
                logger: .silent)
            #expect(try await expiry.deleteExpired(at: WallClock.system.now()) == 2)
            let store = ReceiptStore(plane.dataPlane, as: Self.orders)
            #expect(try await store.find("old", of: tenant) == nil)
            #expect(try await store.find("young", of: tenant) != nil)
        }
    }
}
