import IdentityContracts
package import Kernel
package import Messaging
import Metering
import MeteringContracts
import OrdersContracts
package import Tenancy
package import Web

/// Metering as the program sees it.
package struct MeteringModule: Sendable {
    package static let context = ContextRole.metering
    package static let published: [any IntegrationEvent.Type] = [UsageRecordedV1.self]

    package let endpoints: [Endpoint]
    package let subscriptions: [Subscription]

    package init(
        dataPlane: DataPlane, outbox: Outbox, identifiers: IdentifierSource = .system, clock: WallClock = .system
    ) {
        endpoints =
            UsageRoutes(dataPlane: dataPlane, outbox: outbox, identifiers: identifiers, clock: clock).endpoints
            + MeterRoutes(dataPlane: dataPlane, outbox: outbox, identifiers: identifiers, clock: clock).endpoints
        subscriptions = [
            .on(TenantRegisteredV1.self, named: "metering.define-meters") { event, transaction in
                try await DefineMetersOnTenantRegistered(
                    repository: PostgresUsageRepository(
                        transaction: transaction, outbox: outbox, identifiers: identifiers),
                    identifiers: identifiers
                ).react(to: event.payload)
            },
            .onSeveral(OrderPlacedV2.self, named: "metering.record-order") { events, transaction in
                let orders = events.map { PlacedOrder($0.payload, id: $0.id) }
                let causes = zip(orders, events).map { ($0.usage.identity, $1.correlation) }
                try await RecordUsageOnOrderPlaced(
                    repository: PostgresUsageRepository(
                        transaction: transaction, outbox: outbox, identifiers: identifiers,
                        causes: Dictionary(causes) { first, _ in first }),
                    identifiers: identifiers, clock: clock
                ).react(to: orders)
            },
        ]
    }
}
