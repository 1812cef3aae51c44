import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Messaging

@Suite("What a relay reads")
struct RelayPlanTests {
    @Test("is found at the cursor by an index, however much history there is and though nobody has counted it")
    func plans() async throws {
        try await Backbone.with { backbone in
            try await backbone.plane.asSuperuser(
                """
                INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, \
                correlation_id, traceparent, payload)
                SELECT gen_random_uuid(), gen_random_uuid(), 't', 't', gen_random_uuid(), n, now(), gen_random_uuid(), '', '{}'
                FROM generate_series(1, 30000) AS n
                """)
            let last = try await backbone.plane.asSuperuser(
                "SELECT transaction_id::text, position FROM orders.outbox ORDER BY 2 DESC LIMIT 1")[0]
                .decode((String, Int64).self)
            let end = try OutboxPosition(last.0, last.1)
            // A partition that is known to be empty may well be read whole.
            let full = try await backbone.plane.asSuperuser(
                "SELECT relname FROM pg_class WHERE oid IN (SELECT tableoid FROM orders.outbox)"
            ).map { "Seq Scan on \(try $0.decode(String.self))" }
            let tenant: TenantID = IdentifierSource.system.next()
            let position = ShardPosition(main: end, lanes: [.init(tenant: tenant, position: end)])
            let readings = (0..<8).map {
                ShardReading(shard: $0, epoch: 1, from: position, turns: position.lanes, laneLimit: 100)
            }
            let statements = RelayStatements(schema: "orders", owner: UUID(), lease: .seconds(3))
            let positions = Dictionary(uniqueKeysWithValues: readings.map { ($0.shard, position) })
            let questions = [
                statements.horizon(of: readings.map(\.shard), from: nil),
                statements.windowEnds(readings, from: nil, ShardLimits()),
                statements.page(readings, from: nil, ShardLimits()), statements.lanes(readings, from: nil),
                statements.backlog(positions, from: nil), statements.laneBacklog(positions, from: nil),
            ]
            // Before everything: the planner takes a shard of a partition that is not analyzed for a few rows to sort.
            let backlog = statements.page(
                (0..<8).map {
                    ShardReading(
                        shard: $0, epoch: 1, from: ShardPosition(main: .before(0)), turns: [], laneLimit: 100)
                }, from: nil, ShardLimits())
            for analyzed in [false, true] {
                if analyzed { try await backbone.plane.asSuperuser("ANALYZE orders.outbox") }
                var flight = statements.byIndex
                for question in questions + [backlog] {
                    flight.append(Statement("EXPLAIN (ANALYZE, BUFFERS, COSTS off, TIMING off) \(question)"))
                }
                let plans = try await backbone.plane.dataPlane.crossTenant(
                    in: backbone.plane.fleet.control, as: .worker("orders"), reason: .once("look at plans"),
                    logger: .silent, flight: flight
                ).dropFirst(statements.byIndex.count)
                let whole = try #require(plans.last)
                let lines = try whole.map { row in try row.decode(String.self) }
                #expect(!lines.contains { $0.contains("Bitmap") || $0.contains("->  Sort") }, "\(lines)")
                for (question, plan) in zip(questions, plans) {
                    let lines = try plan.map { try $0.decode(String.self) }
                    #expect(!lines.contains { line in full.contains { line.contains($0) } }, "\(question.text)")
                    // The whole table has over a thousand pages.
                    let pages = lines.first { $0.contains("Buffers:") }?.firstMatch(of: /shared hit=(\d+)/)?.output.1
                    #expect(try #require(Int(pages ?? "0")) < 300, "\(lines.joined(separator: "\n"))")
                }
            }
        }
    }
}
