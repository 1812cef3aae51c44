import Kernel
import Orders
import OrdersContracts
import Testing

@Suite("An order")
struct OrderTests {
    let now = Timestamp(microsecondsSinceEpoch: 1_768_469_400_000_000)
    let later = Timestamp(microsecondsSinceEpoch: 1_768_469_500_000_000)

    func draft(_ lines: [(Int64, Int64)] = [(3, 1250), (1, 99)]) throws -> Order {
        try Order(
            id: IdentifierSource.system.next(), customerID: IdentifierSource.system.next(), currency: euro,
            lines: lines.enumerated().map {
                try OrderLine(
                    sku: "S\($0)", quantity: $1.0, unitPrice: Money(minorUnits: $1.1, currency: euro))
            }, at: now)
    }

    let euro = Currency("EUR")!

    @Test("totals what its lines come to")
    func total() throws {
        var order = try draft()
        #expect(order.total == Money(minorUnits: 3849, currency: euro))
        try order.replaceLines(
            [OrderLine(sku: "A", quantity: 2, unitPrice: Money(minorUnits: 500, currency: euro))], at: later)
        #expect(order.total.minorUnits == 1000)
        #expect(order.version == 2)
    }

    @Test("has at least one line")
    func noLines() throws {
        #expect(throws: OrderError.noLines) { try draft([]) }
        var order = try draft()
        #expect(throws: OrderError.noLines) { try order.replaceLines([], at: later) }
        #expect(order.version == 1)
    }

    @Test("has at most 500 lines")
    func tooManyLines() throws {
        #expect(throws: OrderError.tooManyLines(limit: 500)) {
            try draft(Array(repeating: (1, 1), count: 501))
        }
    }

    @Test("refuses quantities outside its range", arguments: [0, -1, Int64.min, 1_000_001, Int64.max])
    func quantity(_ quantity: Int64) throws {
        #expect(throws: OrderError.quantityOutOfRange(sku: "S0", quantity)) { try draft([(quantity, 1)]) }
    }

    @Test("refuses a negative price")
    func negativePrice() throws {
        #expect(throws: OrderError.negativePrice(sku: "S0")) { try draft([(1, -1)]) }
    }

    @Test("refuses amounts that leave 64 bits, in a line and in the sum")
    func overflow() throws {
        #expect(throws: OrderError.totalTooLarge) { try draft([(2, .max)]) }
        #expect(throws: OrderError.totalTooLarge) { try draft([(1, .max), (1, 1)]) }
    }

    @Test("refuses a line in another currency")
    func currency() throws {
        let yen = Currency("JPY")!
        var order = try draft()
        #expect(throws: OrderError.currencyMismatch(euro, yen)) {
            try order.replaceLines(
                [OrderLine(sku: "A", quantity: 1, unitPrice: Money(minorUnits: 1, currency: yen))], at: later)
        }
    }

    @Test(
        "is placed only from its currency's minimum on",
        arguments: [("EUR", 99, 100), ("JPY", 0, 1), ("BHD", 999, 1000)])
    func minimum(_ code: String, _ below: Int64, _ enough: Int64) throws {
        let currency = Currency(code)!
        func order(_ price: Int64) throws -> Order {
            try Order(
                id: IdentifierSource.system.next(), customerID: IdentifierSource.system.next(), currency: currency,
                lines: [OrderLine(sku: "A", quantity: 1, unitPrice: Money(minorUnits: price, currency: currency))],
                at: now)
        }
        var low = try order(below)
        #expect(
            throws: OrderError.belowMinimum(
                total: Money(minorUnits: below, currency: currency),
                minimum: Money(minorUnits: enough, currency: currency))
        ) { try low.place(under: OrderPolicy(), at: later) }
        #expect(low.state == .draft)
        var high = try order(enough)
        try high.place(under: OrderPolicy(), at: later)
        #expect(high.state == .placed)
    }

    @Test("makes only the legal moves between its states")
    func moves() throws {
        let legal: [OrderState: Set<OrderState>] = [
            .draft: [.placed, .cancelled], .placed: [.approved, .rejected, .cancelled],
            .approved: [.fulfilled, .cancelled], .rejected: [], .fulfilled: [], .cancelled: [],
        ]
        for from in OrderState.allCases {
            for to in OrderState.allCases where to != .draft {
                var order = try restored(in: from)
                let isLegal = legal[from]!.contains(to)
                do {
                    try move(&order, to: to)
                    #expect(isLegal, "\(from) to \(to)")
                    #expect(order.state == to)
                    #expect(order.version == 8)
                    #expect(order.recordedEvents.count == 1)
                } catch {
                    #expect(!isLegal, "\(from) to \(to)")
                    #expect(error == .illegalMove(from: from, to: to))
                    #expect(order.state == from && order.version == 7 && order.recordedEvents.isEmpty)
                }
            }
        }
    }

    @Test(
        "keeps its lines from being changed once it is placed", arguments: OrderState.allCases.filter { $0 != .draft })
    func finalLines(_ state: OrderState) throws {
        var order = try restored(in: state)
        let lines = order.lines
        #expect(throws: OrderError.linesAreFinal(state)) { try order.replaceLines(lines, at: later) }
    }

    @Test("tells others of what they may know, and of nothing else")
    func publication() throws {
        let tenant: TenantID = IdentifierSource.system.next()
        var order = try draft()
        try order.place(under: OrderPolicy(), at: later)
        try order.approve(at: later)
        try order.fulfil(at: later)
        let published = order.recordedEvents.map { order.publication(of: $0, tenantID: tenant, channel: .api) }
        #expect(published[0] == nil)
        let placed = try #require(published[1] as? OrderPlacedV2)
        #expect(try placed.total == placed.lines.reduce(.zero(euro)) { try $0.adding($1.amount) })
        #expect(placed.channel == .api)
        #expect(placed.lines.map(\.number) == [1, 2])
        #expect(placed.tenantId == tenant)
        #expect(published[2] is OrderApprovedV1)
        let fulfilled = try #require(published[3] as? OrderFulfilledV1)
        #expect(fulfilled.lines == placed.predecessor.lines && fulfilled.fulfilledAt == later)
    }

    @Test("that is cancelled as a draft tells nobody")
    func cancelledDraft() throws {
        let tenant: TenantID = IdentifierSource.system.next()
        var draft = try draft()
        try draft.cancel(because: "changed my mind", at: later)
        #expect(draft.publication(of: draft.recordedEvents[1], tenantID: tenant, channel: .api) == nil)
        var placed = try restored(in: .placed)
        try placed.cancel(because: "ordered twice", at: later)
        let event = try #require(
            placed.publication(of: placed.recordedEvents[0], tenantID: tenant, channel: .api) as? OrderCancelledV1)
        #expect(event.reason == "ordered twice")
    }

    private func restored(in state: OrderState) throws -> Order {
        try Order(
            restoring: Order.Saved(
                id: IdentifierSource.system.next(), customerID: IdentifierSource.system.next(), currency: euro,
                state: state,
                lines: [OrderLine(sku: "A", quantity: 1, unitPrice: Money(minorUnits: 500, currency: euro))],
                createdAt: now, updatedAt: now, version: 7))
    }

    private func move(_ order: inout Order, to state: OrderState) throws(OrderError) {
        switch state {
        case .draft: preconditionFailure("nothing becomes a draft")
        case .placed: try order.place(under: OrderPolicy(), at: later)
        case .approved: try order.approve(at: later)
        case .rejected: try order.reject(because: "no", at: later)
        case .fulfilled: try order.fulfil(at: later)
        case .cancelled: try order.cancel(because: "no", at: later)
        }
    }
}
