import Kernel
import Postgres
import TestSupport
import Testing

/// A real run in which something that Atrium relies on is taken from it, and what the ledger must then find.
struct Sabotage: Sendable, CustomTestStringConvertible {
    let crashCase: CrashCase
    let finding: Finding.Kind

    var testDescription: String { crashCase.name }

    static var chosen: [Sabotage] { CrashMatrix.isWhole ? all : Array(all.prefix(2)) }

    static let all = [
        whileRelayIsDead("events lost from the outbox", "an order's events deleted", finds: .lostEvent) { order in
            ["DELETE FROM orders.outbox WHERE aggregate_id = \(order)::text::uuid"]
        },
        // An inbox knows an event by its identity alone.
        whileRelayIsDead("events under a second identity", "events copied in the outbox", finds: .doubledEffect) {
            order in
            [
                """
                INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version,
                    occurred_at, correlation_id, causation_id, traceparent, payload)
                SELECT tenant_id, gen_random_uuid(), topic, type, aggregate_id, aggregate_version,
                    occurred_at, correlation_id, causation_id, traceparent, payload
                FROM orders.outbox WHERE aggregate_id = \(order)::text::uuid
                """
            ]
        },
        whileRelayIsDead("events of an order swapped", "versions swapped in the outbox", finds: .reordered) { order in
            [
                """
                UPDATE orders.outbox o SET aggregate_version = s.total - o.aggregate_version
                FROM (SELECT min(aggregate_version) + max(aggregate_version) AS total FROM orders.outbox
                      WHERE aggregate_id = \(order)::text::uuid) s WHERE o.aggregate_id = \(order)::text::uuid
                """
            ]
        },
        whileRelayIsDead("an event of another tenant", "tenant changed in the outbox", finds: .foreignTenant) { order in
            [
                """
                UPDATE orders.outbox o SET tenant_id = (
                    SELECT p.tenant_id FROM control.placements p
                    WHERE p.tier = 'pool' AND p.tenant_id <> o.tenant_id LIMIT 1)
                WHERE o.aggregate_id = \(order)::text::uuid
                """
            ]
        },
    ]

    /// With nobody to publish, changes what one order has left in the outbox; then a relay publishes that.
    private static func whileRelayIsDead(
        _ name: String, _ fault: String, finds finding: Finding.Kind,
        _ changes: @escaping @Sendable (_ order: String) -> [SQL]
    ) -> Sabotage {
        Sabotage(
            crashCase: CrashCase(kind: .kill, name: name, fault: fault, needs: Arena.Needs(tiers: [.pool, .pool])) {
                arena in
                try await arena.station("http,consumers").start()
                _ = try await arena.progress(by: 6)
                guard
                    let order = arena.load.ledger.orders.values.first(where: { order in
                        order.acknowledged.contains(Fact.fulfilled)
                    })
                else { return CrashCase.Outcome(fired: 0) }
                for change in changes(order.id) {
                    try await PostgresConnection.execute(change, at: arena.database)
                }
                try await arena.station("relay").start()
                return CrashCase.Outcome(fired: 1)
            }, finding: finding)
    }
}
