import Foundation
import IdentityContracts
import Kernel
import Messaging
import MeteringAdapters
import OrdersContracts
import Postgres
import Tenancy
import TestSupport
import Testing

@Suite("Usage that Atrium records by itself")
struct OrderUsageTests {
    private static func placed(by tenant: TenantID, at time: String = "2026-02-03T09:00:30Z") -> OrderPlacedV1 {
        OrderPlacedV1(
            tenantId: tenant, orderId: IdentifierSource.system.next(), customerId: IdentifierSource.system.next(),
            currency: Currency("EUR")!,
            lines: [OrderLineV1(number: 1, sku: "A", quantity: 3, unitPriceMinor: 100, amountMinor: 300)],
            totalMinor: 300, placedAt: Timestamp(time)!)
    }

    private static func registered(_ tenant: TenantID) -> TenantRegisteredV1 {
        TenantRegisteredV1(
            tenantId: tenant, slug: "acme", name: "Acme", sku: "growth", region: "eu-central",
            registeredAt: MeteringWorld.epoch)
    }

    @Test("counts a placed order once, at the time it was placed, however late the event comes")
    func placedOrder() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            try await world.deliver(Self.registered(tenant.id))
            let (event, id) = (Self.placed(by: tenant.id), IdentifierSource.system.next(EventID.self))
            #expect(try await world.deliver(event, id: id) == .processed)
            #expect(try await world.deliver(event, id: id) == .duplicate)
            #expect(try await world.deliver(Self.placed(by: tenant.id, at: "2020-02-03T09:00:30Z")) == .processed)
            let usage = try await tenant.usage("orders.placed")
            #expect(usage.total == "1" && usage.count == 1 && usage.windows["2026-02-03T09:00:00Z"] == "1")
            #expect(
                try await tenant.usage(
                    "orders.placed", from: "2020-02-03T00:00:00Z", to: "2020-02-04T00:00:00Z", window: "day"
                ).count == 1)
            let published = try await world.published(for: tenant.id)
            #expect(published.map(\.version) == [1, 2])
            #expect(published[0].payload["subject"]?.string == event.orderId.description)
            #expect(published[0].payload["id"]?.string == id.description)
            try await validate(published.map(\.payload), against: "metering/usage.recorded.v1.json")
        }
    }

    @Test("counts an order once that is told in two versions, whichever comes first, and under the same name as ever")
    func versions() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let former = Self.placed(by: tenant.id)
            let fact = IdentifierSource.system.next(EventID.self)
            let newest = try await world.deliver(OrderPlacedV2(upcasting: former), fact: fact)
            let oldest = try await world.deliver(former, id: fact, fact: fact)
            #expect(newest == .processed && oldest == .duplicate)
            // As it came before there was a second version.
            let single = IdentifierSource.system.next(EventID.self)
            let before = try await world.deliver(former, id: single)
            let after = try await world.deliver(OrderPlacedV2(upcasting: former), fact: single)
            #expect(before == .processed && after == .duplicate)
            let names = try await world.published(for: tenant.id).compactMap { $0.payload["id"]?.string }
            #expect(names == [fact.description, single.description])
            #expect(try await tenant.usage("orders.placed").total == "2")
        }
    }

    @Test("counts orders that come together, each once and each as caused by its own event")
    func together() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let first = (event: Self.placed(by: tenant.id), id: IdentifierSource.system.next(EventID.self))
            #expect(try await world.deliver(first.event, id: first.id) == .processed)
            let more = (0..<3).map { _ in (Self.placed(by: tenant.id), IdentifierSource.system.next(EventID.self)) }
            let outcomes = try await world.deliver(together: [first] + more)
            #expect(outcomes == [.duplicate, .processed, .processed, .processed])
            #expect(try await tenant.usage("orders.placed").total == "4")
            let published = try await world.plane.asSuperuser(
                """
                SELECT aggregate_version, payload::jsonb ->> 'id', causation_id::text FROM metering.outbox
                ORDER BY position
                """
            ).map { try $0.decode((Int64, String, String).self) }
            #expect(published.map(\.0) == [1, 2, 3, 4])
            #expect(published.map(\.1) == ([first] + more).map(\.1.description))
            #expect(published.map(\.1) == published.map(\.2))
        }
    }

    @Test("keeps the order of the meter's versions and that of commits the same, however many come together at once")
    func togetherAtOnce() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        let orders = (0..<5).map { _ in
                            (Self.placed(by: tenant.id), IdentifierSource.system.next(EventID.self))
                        }
                        let outcomes = try await world.deliver(together: orders)
                        #expect(outcomes == Array(repeating: .processed, count: 5))
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await tenant.usage("orders.placed").total == "40")
            #expect(try await world.published(for: tenant.id).map(\.version) == Array(1...40))
        }
    }

    @Test("defines its meters with the tenant, whichever event comes first and however many at once")
    func definition() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            #expect(try await tenant.usage("orders.placed").count == 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<16 {
                    group.addTask {
                        if index % 4 == 0 {
                            try await world.deliver(Self.registered(tenant.id))
                        } else {
                            try await world.deliver(Self.placed(by: tenant.id))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await tenant.usage("orders.placed").count == 12)
            #expect(try await world.published(for: tenant.id).map(\.version) == Array(1...12))
            let meters = try await tenant.http.get("/api/v1/meters").json()
            #expect(meters["items"]?.array?.count == 1)
            #expect(meters["items"]?[0]?["builtIn"] == true && meters["items"]?[0]?["aggregation"] == "count")
        }
    }
}

@Suite("Meters over HTTP")
struct MeterRouteTests {
    @Test("are defined once; the same again changes nothing, another definition is refused")
    func define() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let first = try await tenant.define("egress", "sum", unit: "GB")
            #expect(first.status == 200 && first.headers["ETag"] == "\"1\"", "\(first)")
            #expect(try await tenant.define("egress", "sum", unit: "GB").bodyWithoutRequest == first.bodyWithoutRequest)
            for (aggregation, unit) in [("count", "GB"), ("sum", "MB")] {
                let other = try await tenant.define("egress", aggregation, unit: unit)
                #expect(other.status == 409 && other.problem == "meter-defined-otherwise")
            }
            #expect(try await tenant.http.get("/api/v1/meters/egress").bodyWithoutRequest == first.bodyWithoutRequest)
            let own = try await tenant.define("orders.placed", "count", unit: "order")
            #expect(own.status == 409 && own.problem == "built-in-meter")
            #expect(try await tenant.define("max", "max").status == 422)
            #expect(try await tenant.define("blank", "sum", unit: " ").status == 422)
            #expect(try await tenant.define("UPPER").status == 400)
            #expect(try await tenant.http.get("/api/v1/meters/none").status == 404)
        }
    }

    @Test("are the same for all who define them at once")
    func race() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            let replies = try await withThrowingTaskGroup(of: HTTPReply.self) { group in
                for _ in 0..<12 { group.addTask { try await tenant.define("egress") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(replies.allSatisfy { $0.status == 200 })
            #expect(Set(replies.compactMap { $0["id"]?.string }).count == 1)
        }
    }

    @Test("are listed by key, page by page")
    func list() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            for key in ["b", "a-1", "a.1", "c", "a_1"] { _ = try await tenant.define(key) }
            let first = try await tenant.http.get("/api/v1/meters?limit=3").json()
            let cursor = try #require(first["nextCursor"]?.string)
            let second = try await tenant.http.get("/api/v1/meters?limit=3&cursor=\(cursor)").json()
            let keys = [first, second].flatMap { $0["items"]?.array ?? [] }.compactMap { $0["key"]?.string }
            #expect(keys == ["a-1", "a.1", "a_1", "b", "c"])
            #expect(second["nextCursor"] == .null)
        }
    }

    @Test("keep their meaning: the program's role can't change or delete what was recorded")
    func fence() async throws {
        try await MeteringWorld.with { world in
            let tenant = world.tenant()
            _ = try await tenant.define("egress")
            _ = try await tenant.send(cloudEvent("1", value: 1))
            for statement: SQL in [
                "UPDATE metering.meters SET aggregation = 'count'", "DELETE FROM metering.meters",
                "UPDATE metering.usage_events SET amount = 2", "DELETE FROM metering.usage_events",
                "DELETE FROM metering.usage_buckets", "UPDATE metering.usage_buckets SET minute = now()",
            ] {
                let error = await #expect(throws: PostgresError.self) {
                    try await world.plane.dataPlane.write(.test(tenant.id), as: MeteringModule.context) {
                        $0.enqueue(statement)
                    }
                }
                #expect(error?.sqlState == "42501", "\(statement)")
            }
        }
    }
}
