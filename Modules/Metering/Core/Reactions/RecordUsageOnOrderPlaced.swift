package import Kernel
import MeteringContracts
package import OrdersContracts

/// An order that was placed can't be counted: it must not pass unseen.
package struct UnmeteredOrder: Error {
    package let refusal: UsageRefusal
}

/// An order that a customer commits to counts as one use of `orders.placed`, at the time it was placed.
///
/// The meter is defined here where it is not yet: topics are not ordered among each other, so the tenant's
/// registration, which defines it as well, may still be on its way.
package struct RecordUsageOnOrderPlaced<Repository: UsageRepository> {
    private let handler: RecordUsageHandler<Repository>

    package init(repository: Repository, identifiers: IdentifierSource, clock: WallClock) {
        handler = RecordUsageHandler(repository: repository, identifiers: identifiers, clock: clock)
    }

    /// - Parameter id: the fact's, the same in every version, so that the usage is known by where it came from.
    package func react(to event: OrderPlacedV2, id: EventID) async throws {
        // The type is part of what was recorded: it stays the first version's, or a fact that comes again in another
        // version would contradict itself.
        let usage = UsageEvent(
            identity: UsageIdentity(source: "/atrium/orders", id: id.description), type: OrderPlacedV1.type,
            subject: event.orderId.description, time: event.placedAt, meter: .ordersPlaced)
        let outcomes = try await handler.handle(
            RecordUsage(events: [usage], policy: .derived, defining: MeterDefinition.builtIn))
        for case .refused(let refusal) in outcomes { throw UnmeteredOrder(refusal: refusal) }
    }
}
