public import Kernel

extension OrderPlacedV2: SideBySideEvent {
    public init(upcasting former: OrderPlacedV1) {
        func money(_ minorUnits: Int64) -> Money { Money(minorUnits: minorUnits, currency: former.currency) }
        self.init(
            tenantId: former.tenantId, orderId: former.orderId, customerId: former.customerId, channel: .unknown,
            lines: former.lines.map {
                OrderLineV2(
                    number: $0.number, sku: $0.sku, quantity: $0.quantity, unitPrice: money($0.unitPriceMinor),
                    amount: money($0.amountMinor))
            },
            total: money(former.totalMinor), placedAt: former.placedAt)
    }

    /// An order is in one currency, which its total names.
    public var predecessor: OrderPlacedV1 {
        OrderPlacedV1(
            tenantId: tenantId, orderId: orderId, customerId: customerId, currency: total.currency,
            lines: lines.map {
                OrderLineV1(
                    number: $0.number, sku: $0.sku, quantity: $0.quantity, unitPriceMinor: $0.unitPrice.minorUnits,
                    amountMinor: $0.amount.minorUnits)
            },
            totalMinor: total.minorUnits, placedAt: placedAt)
    }
}
