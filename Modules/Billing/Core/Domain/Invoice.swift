package import BillingContracts
package import Kernel
package import OrdersContracts

/// What a customer owes for an order: issued whole, never changed, at most voided.
package struct Invoice: Sendable {
    package let id: InvoiceID
    package let number: InvoiceNumber
    package let accountID: AccountID
    package let orderID: OrderID
    package let customerID: CustomerID
    package let currency: Currency
    package let lines: [InvoiceLine]
    package let total: Money
    package let issuedAt: Timestamp
    package private(set) var state: InvoiceState
    package private(set) var voiding: Voiding?
    /// Counts the changes the invoice has seen; the first is its issue.
    package private(set) var version: Int64
    package private(set) var recordedEvents: [RecordedEvent] = []

    /// Why and when an invoice was voided.
    package struct Voiding: Hashable, Sendable {
        package let reason: String
        package let at: Timestamp

        package init(reason: String, at: Timestamp) {
            self.reason = reason
            self.at = at
        }
    }

    /// A change that happened, with the version the invoice had after it.
    package struct RecordedEvent: Hashable, Sendable {
        package let event: InvoiceEvent
        package let version: Int64
        package let at: Timestamp
    }

    /// Issues an invoice for what was ordered.
    package init(
        id: InvoiceID, number: InvoiceNumber, account: AccountID, charge: Charge, at now: Timestamp
    ) {
        self.id = id
        self.number = number
        accountID = account
        orderID = charge.orderID
        customerID = charge.customerID
        currency = charge.total.currency
        lines = charge.lines
        total = charge.total
        issuedAt = now
        state = .issued
        version = 0
        record(.issued, at: now)
    }

    /// Brings back an invoice that was saved.
    package init(restoring saved: Saved) {
        id = saved.id
        number = saved.number
        accountID = saved.accountID
        orderID = saved.charge.orderID
        customerID = saved.charge.customerID
        currency = saved.charge.total.currency
        lines = saved.charge.lines
        total = saved.charge.total
        issuedAt = saved.issuedAt
        state = saved.state
        voiding = saved.voiding
        version = saved.version
    }

    package struct Saved {
        package let id: InvoiceID
        package let number: InvoiceNumber
        package let accountID: AccountID
        package let charge: Charge
        package let issuedAt: Timestamp
        package let state: InvoiceState
        package let voiding: Voiding?
        package let version: Int64

        package init(
            id: InvoiceID, number: InvoiceNumber, accountID: AccountID, charge: Charge, issuedAt: Timestamp,
            state: InvoiceState, voiding: Voiding?, version: Int64
        ) {
            self.id = id
            self.number = number
            self.accountID = accountID
            self.charge = charge
            self.issuedAt = issuedAt
            self.state = state
            self.voiding = voiding
            self.version = version
        }
    }

    /// Takes the claim back. The number stays with this invoice, so that the series keeps no gap.
    package mutating func void(because reason: String, at now: Timestamp) throws(BillingError) {
        guard state.mayBecome(.void) else { throw .illegalMove(from: state, to: .void) }
        state = .void
        voiding = Voiding(reason: reason, at: now)
        record(.voided(reason: reason), at: now)
    }

    private mutating func record(_ event: InvoiceEvent, at now: Timestamp) {
        version += 1
        recordedEvents.append(RecordedEvent(event: event, version: version, at: now))
    }
}
