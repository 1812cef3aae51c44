import BillingContracts
package import Kernel
package import OrdersContracts

/// An order that was delivered whole is invoiced, once.
///
/// The account is opened here where it is not open yet. Topics are not ordered among each other, so the tenant's
/// registration may still be on its way; waiting for it would hold up the partition and end in the dead letters, while
/// an order that was fulfilled is proof enough that there is a tenant. The registration finds the account then.
package struct IssueInvoiceOnOrderFulfilled<Invoices: InvoiceRepository, Accounts: AccountRepository> {
    private let invoices: Invoices
    private let accounts: Accounts
    private let identifiers: IdentifierSource
    private let clock: WallClock

    package init(invoices: Invoices, accounts: Accounts, identifiers: IdentifierSource, clock: WallClock) {
        self.invoices = invoices
        self.accounts = accounts
        self.identifiers = identifiers
        self.clock = clock
    }

    package func react(to event: OrderFulfilledV1) async throws {
        let charge = try Charge(event)
        let now = clock.now()
        let account = Account(openingFor: event.tenantId, at: now)
        try await accounts.insertIfAbsent(account)
        let number = try await invoices.nextNumber(in: .standard, for: charge.orderID)
        try await invoices.insert(
            Invoice(id: identifiers.next(), number: number, account: account.id, charge: charge, at: now))
    }
}
