import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import Messaging

@Suite("A hold on the relays")
struct RelayHoldTests {
    private static func hold(_ backbone: Backbone) -> RelayHold {
        RelayHold(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
    }

    private static func rewind(_ backbone: Backbone) -> RelayRewind {
        RelayRewind(schema: "orders", dataPlane: backbone.plane.dataPlane, logger: .silent)
    }

    private static let start = RelayRewind.Start.recorded(Timestamp(microsecondsSinceEpoch: 0))

    @Test("takes the shards from a relay at work, which publishes again once it is let go")
    func relays() async throws {
        try await Backbone.with { backbone in
            let (database, tenant) = (backbone.plane.fleet.control, TenantContext.test())
            let thing = Backbone.thing(in: 3)
            try await backbone.relaying {
                try await backbone.publish(1, of: thing, as: tenant)
                try await Waiting.until("the cursor is past it") { try await backbone.backlog() == 0 }
                let hold = Self.hold(backbone)
                try await hold.take(in: database, for: .seconds(60))
                try await backbone.publish(2, of: thing, as: tenant)
                // Longer than a lease: a relay that could would have published by now.
                try await Task.sleep(for: .seconds(4))
                #expect(try await backbone.backlog() == 1)
                try await hold.letGo(in: database)
                try await Waiting.until("the cursor is past the second") { try await backbone.backlog() == 0 }
            }
        }
    }

    @Test("is not taken from whoever has it, until that one lets go or its time is over")
    func others() async throws {
        try await Backbone.with { backbone in
            let database = backbone.plane.fleet.control
            let (one, two) = (Self.hold(backbone), Self.hold(backbone))
            try await one.take(in: database, for: .seconds(60))
            let refusal = await #expect(throws: RelaysHeld.self) { try await two.take(in: database, for: .seconds(60)) }
            #expect(refusal?.description.contains("run this again") == true)
            // What the other does not have it can't let go.
            try await two.letGo(in: database)
            try await one.renew(in: database, for: .milliseconds(1))
            try await Waiting.until("the first has run out") {
                do {
                    try await two.take(in: database, for: .seconds(60))
                    return true
                } catch is RelaysHeld {
                    return false
                }
            }
            await #expect(throws: HoldLost.self) { try await one.renew(in: database, for: .seconds(60)) }
            try await two.letGo(in: database)
            try await one.take(in: database, for: .seconds(60))
        }
    }

    @Test("keeps others from publishing again, and lasts while its own does")
    func rewinding() async throws {
        try await Backbone.with { backbone in
            let (database, tenant) = (backbone.plane.fleet.control, TenantContext.test())
            try await backbone.relaying {
                try await backbone.publish(1, of: Backbone.thing(in: 3), as: tenant)
                try await Waiting.until("the cursor is past it") { try await backbone.backlog() == 0 }
            }
            let (one, two) = (Self.hold(backbone), Self.hold(backbone))
            try await one.take(in: database, for: .seconds(60))
            let rewind = Self.rewind(backbone)
            await #expect(throws: RelaysHeld.self) { try await rewind.rewind(to: Self.start, in: database) }
            await #expect(throws: HoldLost.self) { try await rewind.rewind(to: Self.start, in: database, under: two) }
            #expect(try await backbone.backlog() == 0)
            #expect(try await rewind.rewind(to: Self.start, in: database, under: one).shards == 1)
            #expect(try await backbone.backlog() == 1)
            try await one.renew(in: database, for: .seconds(60))
            await #expect(throws: RelaysHeld.self) { try await two.take(in: database, for: .seconds(60)) }
        }
    }
}
