import BillingContracts
package import Kernel
package import OrdersContracts

/// Each order that was delivered whole is invoiced, once.
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

    /// - Parameter events: all of one tenant.
    package func react(to events: [OrderFulfilledV1]) async throws {
        guard let tenant = events.first?.tenantId else { return }
        let charges = try events.map { try Charge($0) }
        let now = clock.now()
        let account = Account(openingFor: tenant, at: now)
        try await accounts.insertIfAbsent(account)
        let numbers = try await invoices.nextNumbers(in: .standard, for: charges.map(\.orderID))
        try await invoices.insert(
            zip(charges, numbers).map { charge, number in
                Invoice(id: identifiers.next(), number: number, account: account.id, charge: charge, at: now)
            })
    }
}
