import Billing
import BillingContracts
import IdentityContracts
package import Kernel
package import Messaging
import OrdersContracts
package import Tenancy
package import Web

/// Billing as the program sees it.
package struct BillingModule: Sendable {
    package static let context = ContextRole.billing
    package static let published: [any IntegrationEvent.Type] = [InvoiceIssuedV1.self, InvoiceVoidedV1.self]

    package let endpoints: [Endpoint]
    package let subscriptions: [Subscription]

    package init(
        dataPlane: DataPlane, outbox: Outbox, identifiers: IdentifierSource = .system, clock: WallClock = .system
    ) {
        endpoints =
            BillingRoutes(dataPlane: dataPlane, outbox: outbox, identifiers: identifiers, clock: clock).endpoints
        subscriptions = [
            .on(TenantRegisteredV1.self, named: "billing.open-account") { event, transaction in
                try await OpenAccountOnTenantRegistered(accounts: PostgresAccountRepository(transaction: transaction))
                    .react(to: event.payload)
            },
            .onSeveral(OrderFulfilledV1.self, named: "billing.issue-invoice") { events, transaction in
                let causes = events.map { ($0.payload.orderId, $0.correlation) }
                let reaction = IssueInvoiceOnOrderFulfilled(
                    invoices: PostgresInvoiceRepository(
                        transaction: transaction, outbox: outbox, identifiers: identifiers,
                        causes: Dictionary(causes) { first, _ in first }),
                    accounts: PostgresAccountRepository(transaction: transaction), identifiers: identifiers,
                    clock: clock)
                do {
                    try await reaction.react(to: events.map(\.payload))
                } catch let error as BillingError {
                    // What the event says will not come right by trying again.
                    throw Rejection("\(error)")
                }
            },
        ]
    }
}
