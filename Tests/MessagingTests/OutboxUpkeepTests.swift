import Foundation
import Kafka
import Kernel
import Messaging
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("Upkeep of the outbox")
struct OutboxUpkeepTests {
    @Test("makes the partitions of the days to come, closed like their table")
    func ahead() async throws {
        try await Backbone.with { backbone in
            for day in 0...3 {
                try await backbone.plane.asSuperuser(
                    "DROP TABLE IF EXISTS orders.\(unsafeSQL: try await partition(backbone, day))")
            }
            #expect(try await upkeep(backbone).keep("orders", in: backbone.plane.fleet.control) == [])
            for day in 0...3 {
                let found = try await backbone.plane.asSuperuser(
                    """
                    SELECT relispartition AND relrowsecurity AND relforcerowsecurity AND relacl IS NULL
                    FROM pg_class WHERE relname = \(try await partition(backbone, day))
                        AND relnamespace = 'orders'::regnamespace
                    """)
                #expect(try found.first?.decode(Bool.self) == true)
            }
        }
    }

    @Test("drops a partition when it is old and all of it is published, and not before")
    func dropping() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            try await add(backbone, daysAgo: 5)
            try await add(backbone, daysAgo: 1)
            try await write(backbone, tenant.tenantID, daysAgo: 5)
            try await write(backbone, tenant.tenantID, daysAgo: 1)
            let (old, young) = (try await partition(backbone, -5), try await partition(backbone, -1))
            let upkeep = try upkeep(backbone)
            let database = backbone.plane.fleet.control
            #expect(try await upkeep.keep("orders", in: database) == [])
            try await backbone.relaying {
                try await Waiting.until("both are published") { try await backbone.backlog() == 0 }
                try await Waiting.until("the old one is dropped") {
                    (try? await upkeep.keep("orders", in: database)) == [old]
                }
            }
            let left = try await backbone.plane.asSuperuser("SELECT to_regclass('orders.' || \(young)) IS NOT NULL")
            #expect(try left[0].decode(Bool.self))
            let drops = try await backbone.plane.asSuperuser(
                "SELECT partition, recorded_to - recorded_from = interval '1 day' FROM orders.outbox_drops")
            #expect(try drops.map { try $0.decode((String, Bool).self).0 } == [old])
            #expect(try drops.allSatisfy { try $0.decode((String, Bool).self).1 })
        }
    }

    @Test("keeps a partition in which a lane is not at its end")
    func lane() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            try await add(backbone, daysAgo: 5)
            try await write(backbone, tenant.tenantID, daysAgo: 5)
            // The others have been published beyond, as they are while a flood is worked off.
            try await backbone.plane.asSuperuser(
                """
                UPDATE orders.outbox_cursor SET transaction_id = '9000000000000000000', position = 0, lanes = jsonb_build_array(
                    jsonb_build_object('tenant', \(tenant.tenantID)::uuid, 'transaction', '0', 'position', 0, 'closed', false))
                """)
            let database = backbone.plane.fleet.control
            #expect(try await upkeep(backbone).keep("orders", in: database) == [])
            try await backbone.plane.asSuperuser("UPDATE orders.outbox_cursor SET lanes = '[]'")
            #expect(try await upkeep(backbone).keep("orders", in: database) == [try await partition(backbone, -5)])
        }
    }

    @Test("publishes what came to the default partition, goes on with the days after, and empties it when all is old")
    func defaultPartition() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            for day in 0...3 {
                try await backbone.plane.asSuperuser(
                    "DROP TABLE IF EXISTS orders.\(unsafeSQL: try await partition(backbone, day))")
            }
            let thing: Identifier<Void> = IdentifierSource.system.next()
            let upkeep = try upkeep(backbone)
            let database = backbone.plane.fleet.control
            try await backbone.relaying {
                try await backbone.publish(1, of: thing, as: tenant)
                #expect(try await backbone.published(1).count == 1)
                try await Waiting.until("the days after today have partitions") {
                    _ = try? await upkeep.keep("orders", in: database)
                    return try await backbone.plane.asSuperuser(
                        "SELECT to_regclass('orders.' || \(try await partition(backbone, 1))) IS NOT NULL")[0]
                        .decode(Bool.self)
                }
                #expect(
                    try await backbone.plane.asSuperuser("SELECT count(*) FROM orders.outbox_default")[0]
                        .decode(Int64.self) == 1)
                try await Waiting.until("the cursor is past it") { try await backbone.backlog() == 0 }
                try await backbone.plane.asSuperuser(
                    "UPDATE orders.outbox_default SET recorded_at = recorded_at - interval '9 days'")
                try await Waiting.until("the default partition is emptied") {
                    (try? await upkeep.keep("orders", in: database)) == ["outbox_default"]
                }
                try await backbone.publish(2, of: thing, as: tenant)
                #expect(try await backbone.published(2).count == 2)
            }
        }
    }

    @Test("is for the context's worker alone")
    func rights() async throws {
        try await Backbone.with { backbone in
            let tenant = TenantContext.test()
            for call: SQL in ["orders.extend_outbox(1)", "orders.shorten_outbox('1 day')"] {
                await #expect(throws: PostgresError.self) {
                    _ = try await backbone.plane.dataPlane.query(tenant, as: Backbone.orders, "SELECT \(call)")
                }
            }
        }
    }

    // MARK: -

    private func upkeep(_ backbone: Backbone) throws -> OutboxUpkeep {
        OutboxUpkeep(
            schemas: ["orders"], dataPlane: backbone.plane.dataPlane, in: { _ in backbone.plane.homes.databases },
            retention: .seconds(3 * 86_400), logger: .silent)
    }

    private func partition(_ backbone: Backbone, _ day: Int) async throws -> String {
        try await backbone.plane.asSuperuser(
            "SELECT 'outbox_' || to_char((now() AT TIME ZONE 'UTC')::date + \(Int32(day))::int, 'YYYYMMDD')")[0]
            .decode(String.self)
    }

    private func add(_ backbone: Backbone, daysAgo days: Int) async throws {
        let name = try await partition(backbone, -days)
        let rows = try await backbone.plane.asSuperuser(
            """
            SELECT to_char((now() AT TIME ZONE 'UTC')::date - \(Int32(days))::int, 'YYYY-MM-DD'),
                to_char((now() AT TIME ZONE 'UTC')::date - \(Int32(days))::int + 1, 'YYYY-MM-DD')
            """)
        let (from, to) = try rows[0].decode((String, String).self)
        try await backbone.plane.asSuperuser(
            """
            CREATE TABLE orders.\(unsafeSQL: name) PARTITION OF orders.outbox
            FOR VALUES FROM ('\(unsafeSQL: from) 00:00:00+00') TO ('\(unsafeSQL: to) 00:00:00+00')
            """)
        for change in ["ENABLE", "FORCE"] {
            try await backbone.plane.asSuperuser(
                "ALTER TABLE orders.\(unsafeSQL: name) \(unsafeSQL: change) ROW LEVEL SECURITY")
        }
        try await backbone.plane.asSuperuser("ALTER TABLE orders.\(unsafeSQL: name) OWNER TO atrium_owner")
    }

    private func write(_ backbone: Backbone, _ tenant: TenantID, daysAgo days: Int) async throws {
        try await backbone.plane.asSuperuser(
            """
            INSERT INTO orders.outbox (tenant_id, recorded_at, event_id, topic, type, aggregate_id, aggregate_version, \
            occurred_at, correlation_id, traceparent, payload)
            VALUES (\(tenant), now() - \(Int32(days))::int * interval '1 day', gen_random_uuid(), \(ThingHappenedV1.topic), \
            \(ThingHappenedV1.type), gen_random_uuid(), 1, now(), gen_random_uuid(), \
            '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '{}')
            """)
    }
}
