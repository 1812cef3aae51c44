import DevStack
import Kafka
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Messaging

@Suite("A relay whose trip to the database is under way")
struct RelayTripTests {
    @Test("asks once more for shards that it hears meanwhile are free")
    func vacancy() async throws {
        try await Backbone.with { backbone in
            let plane = backbone.plane
            // Half of the shards are this relay's, half are free, and belong to another by its being there.
            try await plane.asSuperuser(
                """
                INSERT INTO orders.outbox_relays (owner, seen_until)
                VALUES (gen_random_uuid(), clock_timestamp() + interval '1 hour')
                """)
            var configuration = RelayConfiguration()
            // So long that nothing is renewed by the clock.
            configuration.lease = .seconds(3600)
            let producer = try backbone.producer()
            let relay = Relay(
                schema: "orders", in: plane.fleet.control, dataPlane: plane.dataPlane, producer: producer,
                notices: OutboxNotices(pool: try plane.pool, logger: .silent), configuration: configuration,
                metrics: RelayMetrics(schema: "orders"), logger: .silent)
            let owner = relay.statements.owner
            @Sendable func holds(_ count: Int) async throws -> Bool {
                try await plane.asSuperuser("SELECT count(*) FROM orders.outbox_cursor WHERE owner = \(owner)")[0]
                    .decode(Int64.self) == Int64(count)
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                group.addTask { await relay.run() }
                relay.mailbox.post(.visit([]))
                try await Waiting.until("it has its share") { try await holds(4) }
                // A trip asks for shards first, and looks into the outbox behind that: there it stands still.
                let door = try await PostgresConnection.connect(
                    ConnectionSettings(plane.database.address.url), logger: .silent)
                defer { door.close() }
                try await door.script("BEGIN; LOCK TABLE orders.outbox IN ACCESS EXCLUSIVE MODE")
                relay.mailbox.post(.visit(.vacancy))
                try await Waiting.until("a trip stands still behind its question for shards") {
                    try await plane.asSuperuser(
                        """
                        SELECT count(*) FROM pg_locks WHERE relation = 'orders.outbox'::regclass AND NOT granted
                        """)[0].decode(Int64.self) == 1
                }
                try await plane.asSuperuser("DELETE FROM orders.outbox_relays WHERE owner <> \(owner)")
                relay.mailbox.post(.visit(.vacancy))
                try await door.script("COMMIT")
                try await Waiting.until("all shards are its own") { try await holds(8) }
            }
            await producer.close()
        }
    }
}
