package import Kernel
package import OrdersContracts

extension Order {
    /// What others are told of a change; `nil` where it is nobody else's business.
    ///
    /// - Parameter channel: how the change came.
    package func publication(
        of recorded: RecordedEvent, tenantID: TenantID, channel: OrderChannelV2
    ) -> (any IntegrationEvent)? {
        switch recorded.event {
        case .drafted, .linesReplaced, .cancelled(_, wasPlaced: false):
            nil
        case .placed:
            OrderPlacedV2(
                tenantId: tenantID, orderId: id, customerId: customerID, channel: channel,
                lines: lines.enumerated().map { index, line in
                    OrderLineV2(
                        number: index + 1, sku: line.sku, quantity: line.quantity, unitPrice: line.unitPrice,
                        amount: line.amount)
                }, total: total, placedAt: recorded.at)
        case .approved:
            OrderApprovedV1(tenantId: tenantID, orderId: id, approvedAt: recorded.at)
        case .rejected(let reason):
            OrderRejectedV1(tenantId: tenantID, orderId: id, reason: reason, rejectedAt: recorded.at)
        case .fulfilled:
            OrderFulfilledV1(
                tenantId: tenantID, orderId: id, customerId: customerID, currency: currency, lines: publishedLines,
                totalMinor: total.minorUnits, fulfilledAt: recorded.at)
        case .cancelled(let reason, wasPlaced: true):
            OrderCancelledV1(tenantId: tenantID, orderId: id, reason: reason, cancelledAt: recorded.at)
        }
    }

    private var publishedLines: [OrderLineV1] {
        lines.enumerated().map { index, line in
            OrderLineV1(
                number: index + 1, sku: line.sku, quantity: line.quantity, unitPriceMinor: line.unitPrice.minorUnits,
                amountMinor: line.amount.minorUnits)
        }
    }
}
