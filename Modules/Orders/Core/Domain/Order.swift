package import Kernel
package import OrdersContracts

/// A customer's order, from draft to its end. Its total is always the sum of its lines.
package struct Order: Sendable {
    package static let lineLimit = 500

    package let id: OrderID
    package let customerID: CustomerID
    package let currency: Currency
    package private(set) var state: OrderState
    package private(set) var lines: [OrderLine]
    package private(set) var total: Money
    package let createdAt: Timestamp
    package private(set) var updatedAt: Timestamp
    /// Counts the changes the order has seen; the first is its draft.
    package private(set) var version: Int64
    package private(set) var recordedEvents: [RecordedEvent] = []

    /// A change that happened, with the version the order had after it.
    package struct RecordedEvent: Hashable, Sendable {
        package let event: OrderEvent
        package let version: Int64
        package let at: Timestamp
    }

    /// Drafts a new order.
    package init(
        id: OrderID, customerID: CustomerID, currency: Currency, lines: [OrderLine], at now: Timestamp
    ) throws(OrderError) {
        self.id = id
        self.customerID = customerID
        self.currency = currency
        self.total = try Self.total(of: lines, in: currency)
        self.lines = lines
        state = .draft
        createdAt = now
        updatedAt = now
        version = 0
        record(.drafted, at: now)
    }

    /// Brings back an order that was saved.
    package init(restoring saved: Saved) throws(OrderError) {
        id = saved.id
        customerID = saved.customerID
        currency = saved.currency
        state = saved.state
        lines = saved.lines
        total = try Self.total(of: saved.lines, in: saved.currency)
        createdAt = saved.createdAt
        updatedAt = saved.updatedAt
        version = saved.version
    }

    package struct Saved {
        package let id: OrderID
        package let customerID: CustomerID
        package let currency: Currency
        package let state: OrderState
        package let lines: [OrderLine]
        package let createdAt: Timestamp
        package let updatedAt: Timestamp
        package let version: Int64

        package init(
            id: OrderID, customerID: CustomerID, currency: Currency, state: OrderState, lines: [OrderLine],
            createdAt: Timestamp, updatedAt: Timestamp, version: Int64
        ) {
            self.id = id
            self.customerID = customerID
            self.currency = currency
            self.state = state
            self.lines = lines
            self.createdAt = createdAt
            self.updatedAt = updatedAt
            self.version = version
        }
    }

    package mutating func replaceLines(_ lines: [OrderLine], at now: Timestamp) throws(OrderError) {
        guard state == .draft else { throw .linesAreFinal(state) }
        total = try Self.total(of: lines, in: currency)
        self.lines = lines
        record(.linesReplaced, at: now)
    }

    package mutating func place(under policy: OrderPolicy, at now: Timestamp) throws(OrderError) {
        guard state.mayBecome(.placed) else { throw .illegalMove(from: state, to: .placed) }
        let minimum = policy.minimum(in: currency)
        guard total.minorUnits >= minimum.minorUnits else { throw .belowMinimum(total: total, minimum: minimum) }
        try move(to: .placed, as: .placed, at: now)
    }

    package mutating func approve(at now: Timestamp) throws(OrderError) {
        try move(to: .approved, as: .approved, at: now)
    }

    package mutating func reject(because reason: String, at now: Timestamp) throws(OrderError) {
        try move(to: .rejected, as: .rejected(reason: reason), at: now)
    }

    package mutating func fulfil(at now: Timestamp) throws(OrderError) {
        try move(to: .fulfilled, as: .fulfilled, at: now)
    }

    package mutating func cancel(because reason: String, at now: Timestamp) throws(OrderError) {
        try move(to: .cancelled, as: .cancelled(reason: reason, wasPlaced: state != .draft), at: now)
    }

    private mutating func move(to next: OrderState, as event: OrderEvent, at now: Timestamp) throws(OrderError) {
        guard state.mayBecome(next) else { throw .illegalMove(from: state, to: next) }
        state = next
        record(event, at: now)
    }

    private mutating func record(_ event: OrderEvent, at now: Timestamp) {
        version += 1
        updatedAt = now
        recordedEvents.append(RecordedEvent(event: event, version: version, at: now))
    }

    private static func total(of lines: [OrderLine], in currency: Currency) throws(OrderError) -> Money {
        guard !lines.isEmpty else { throw .noLines }
        guard lines.count <= lineLimit else { throw .tooManyLines(limit: lineLimit) }
        var total = Money.zero(currency)
        for line in lines {
            do {
                total = try total.adding(line.amount)
            } catch {
                switch error {
                case .overflow: throw .totalTooLarge
                case .currencyMismatch(let left, let right): throw .currencyMismatch(left, right)
                }
            }
        }
        return total
    }
}
