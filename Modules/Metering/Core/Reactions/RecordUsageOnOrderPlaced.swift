package import Kernel
import MeteringContracts
package import OrdersContracts

/// An order that was placed can't be counted: it must not pass unseen.
package struct UnmeteredOrder: Error {
    package let refusal: UsageRefusal
}

/// An order that a customer commits to, as the use of `orders.placed` that it counts as.
package struct PlacedOrder: Sendable {
    package let usage: UsageEvent

    /// - Parameter id: the fact's, the same in every version, so that the usage is known by where it came from.
    package init(_ event: OrderPlacedV2, id: EventID) {
        // The type is part of what was recorded: it stays the first version's, or a fact that comes again in another
        // version would contradict itself.
        usage = UsageEvent(
            identity: UsageIdentity(source: "/atrium/orders", id: id.description), type: OrderPlacedV1.type,
            subject: event.orderId.description, time: event.placedAt, meter: .ordersPlaced)
    }
}

/// Orders that were placed are counted, each at the time it was placed.
///
/// The meter is defined here where it is not yet: topics are not ordered among each other, so the tenant's
/// registration, which defines it as well, may still be on its way.
package struct RecordUsageOnOrderPlaced<Repository: UsageRepository> {
    private let handler: RecordUsageHandler<Repository>

    package init(repository: Repository, identifiers: IdentifierSource, clock: WallClock) {
        handler = RecordUsageHandler(repository: repository, identifiers: identifiers, clock: clock)
    }

    package func react(to orders: [PlacedOrder]) async throws {
        let outcomes = try await handler.handle(
            RecordUsage(events: orders.map(\.usage), policy: .derived, defining: MeterDefinition.builtIn))
        for case .refused(let refusal) in outcomes { throw UnmeteredOrder(refusal: refusal) }
    }
}
