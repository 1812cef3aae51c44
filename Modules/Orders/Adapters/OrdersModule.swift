package import Kernel
package import Messaging
package import Orders
import OrdersContracts
package import Tenancy
package import Web

/// Orders as the program sees it.
package struct OrdersModule: Sendable {
    package static let context = ContextRole.orders
    package static let published: [any IntegrationEvent.Type] = [
        OrderPlacedV2.self, OrderApprovedV1.self, OrderRejectedV1.self, OrderFulfilledV1.self, OrderCancelledV1.self,
    ]

    package let endpoints: [Endpoint]
    package let subscriptions: [Subscription] = []

    package init(
        dataPlane: DataPlane, outbox: Outbox, policy: OrderPolicy = OrderPolicy(),
        identifiers: IdentifierSource = .system, clock: WallClock = .system
    ) {
        endpoints =
            OrderRoutes(dataPlane: dataPlane, outbox: outbox, policy: policy, identifiers: identifiers, clock: clock)
            .endpoints
    }
}
