package import BillingContracts
package import Kernel

/// What a tenant's invoices belong to. It has no currency: each invoice has its own.
package struct Account: Sendable {
    package let id: AccountID
    package private(set) var state: AccountState
    package let openedAt: Timestamp
    package private(set) var version: Int64

    /// Opens the tenant's account. A tenant has one, so it goes by the tenant's own UUID: whoever opens it first, from
    /// whichever event, opens the same.
    package init(openingFor tenant: TenantID, at now: Timestamp) {
        id = AccountID(tenant.uuid)
        state = .open
        openedAt = now
        version = 1
    }

    /// Brings back an account that was saved.
    package init(restoring id: AccountID, state: AccountState, openedAt: Timestamp, version: Int64) {
        self.id = id
        self.state = state
        self.openedAt = openedAt
        self.version = version
    }
}

/// Whether an account takes new invoices. Nothing closes one yet.
package enum AccountState: String, CaseIterable, Hashable, Sendable {
    case open
}
