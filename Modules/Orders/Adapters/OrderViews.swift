import Kernel
import Orders
import OrdersContracts
import Web

/// What a client sends to open an order.
struct NewOrder: Sendable {
    let customerID: CustomerID
    let currency: Currency
    let lines: [RequestedLine]
    let place: Bool?

    static let shape = Shape<NewOrder>.object(
        "NewOrder", "What a client sends to open an order.",
        Field("customerId", .identifier(CustomerID.self), "Who orders: the tenant's own identifier.") { $0.customerID },
        Field("currency", .currency, "The currency of all its prices (ISO 4217).", example: "EUR") { $0.currency },
        Field("lines", linesShape, "What is ordered.") { $0.lines },
        Field(optional: "place", .boolean, "Place the order at once instead of leaving it a draft.") { $0.place }
    ) { NewOrder(customerID: $0, currency: $1, lines: $2, place: $3) }

    static let linesShape = Shape<[RequestedLine]>.array(of: RequestedLine.shape, count: 1...Order.lineLimit)
}

extension RequestedLine {
    static let shape = Shape<RequestedLine>.object(
        "NewOrderLine", "A line with the price as agreed now.",
        Field("sku", .string(1...64, .code), "What is sold, by the tenant's own code.", example: "SEAT-PRO") { $0.sku },
        Field("quantity", .integer(OrderLine.quantities), "How many.", example: 3) { $0.quantity },
        Field(
            "unitPriceMinor", .integer(0...Int64.max), "Price of one in minor units: 1250 is 12.50 EUR.", example: 1250
        ) {
            $0.unitPriceMinor
        }
    ) { RequestedLine(sku: $0, quantity: $1, unitPriceMinor: $2) }
}

/// The new lines of a draft.
struct NewLines: Sendable {
    let lines: [RequestedLine]

    static let shape = Shape<NewLines>.object(
        "NewOrderLines", "The lines that take the place of a draft's lines.",
        Field("lines", NewOrder.linesShape, "All the lines from now on.") { $0.lines }
    ) { NewLines(lines: $0) }
}

/// Why an order ends early.
struct OrderReason: Sendable {
    let reason: String

    static let shape = Shape<OrderReason>.object(
        "OrderReason", "Why an order ends early.",
        Field("reason", .string(1...500, .line), "In the words of who decides.", example: "ordered twice") { $0.reason }
    ) { OrderReason(reason: $0) }
}

extension Order {
    static let shape = Shape<Order>.output(
        "Order", "An order as it stands.",
        Field("id", .identifier(OrderID.self), "The order.") { $0.id },
        Field("customerId", .identifier(CustomerID.self), "Who ordered.") { $0.customerID },
        Field("state", .enumeration(OrderState.self), "Where it stands.") { $0.state },
        Field("currency", .currency, "The currency of all its amounts.", example: "EUR") { $0.currency },
        Field("lines", .array(of: OrderLine.shape, count: 1...lineLimit), "What is ordered.") { $0.lines },
        Field("totalMinor", .integer(0...Int64.max), "The sum of the lines, in minor units.", example: 3750) {
            $0.total.minorUnits
        },
        Field("createdAt", .timestamp, "When it was drafted.") { $0.createdAt },
        Field("updatedAt", .timestamp, "When it last changed.") { $0.updatedAt },
        Field("version", .integer(1...Int64.max), "Counts its changes; the same as its ETag.", example: 2) {
            $0.version
        }
    )
}

extension OrderLine {
    static let shape = Shape<OrderLine>.output(
        "OrderLine", "A line of an order.",
        Field("sku", .string(1...64), "What is sold.", example: "SEAT-PRO") { $0.sku },
        Field("quantity", .integer(quantities), "How many.", example: 3) { $0.quantity },
        Field("unitPriceMinor", .integer(0...Int64.max), "Price of one, in minor units.", example: 1250) {
            $0.unitPrice.minorUnits
        },
        Field("amountMinor", .integer(0...Int64.max), "quantity × unitPriceMinor.", example: 3750) {
            $0.amount.minorUnits
        }
    )
}

extension OrderSummary {
    static let shape = Shape<OrderSummary>.output(
        "OrderSummary", "An order as a list shows it.",
        Field("id", .identifier(OrderID.self), "The order.") { $0.id },
        Field("customerId", .identifier(CustomerID.self), "Who ordered.") { $0.customerID },
        Field("state", .enumeration(OrderState.self), "Where it stands.") { $0.state },
        Field("currency", .currency, "The currency of its total.", example: "EUR") { $0.total.currency },
        Field("totalMinor", .integer(0...Int64.max), "The sum of the lines, in minor units.", example: 3750) {
            $0.total.minorUnits
        },
        Field("createdAt", .timestamp, "When it was drafted.") { $0.createdAt },
        Field("version", .integer(1...Int64.max), "Counts its changes.", example: 2) { $0.version }
    )
}

/// Who changed an order, what, when.
struct OrderHistory: Sendable {
    let changes: [OrderChange]

    static let shape = Shape<OrderHistory>.output(
        "OrderHistory", "Every change of an order, oldest first.",
        Field("changes", .array(of: OrderChange.shape), "One for each version.") { $0.changes }
    )
}

extension OrderChange {
    static let shape = Shape<OrderChange>.output(
        "OrderChange", "One change of an order.",
        Field("version", .integer(1...Int64.max), "The version that it made.", example: 2) { $0.version },
        Field("change", .string(1...40), "What happened.", example: "placed") { $0.change },
        Field(optional: "reason", .string(1...500), "Why, where one was given.", example: "ordered twice") {
            $0.reason
        },
        Field("actor", .string(1...100), "Who did it: a user, an API key, a reaction.", example: "api-key:0198…") {
            $0.actor
        },
        Field("at", .timestamp, "When.") { $0.at }
    )
}
