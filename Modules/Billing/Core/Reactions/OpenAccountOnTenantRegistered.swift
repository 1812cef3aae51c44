package import IdentityContracts
import Kernel

/// A tenant that joins gets the account that its invoices will belong to.
package struct OpenAccountOnTenantRegistered<Accounts: AccountRepository> {
    private let accounts: Accounts

    package init(accounts: Accounts) {
        self.accounts = accounts
    }

    package func react(to event: TenantRegisteredV1) async throws {
        try await accounts.insertIfAbsent(Account(openingFor: event.tenantId, at: event.registeredAt))
    }
}
