import Billing
import BillingContracts
import Kernel
import OrdersContracts

let euro = Currency("EUR")!
let now = Timestamp(microsecondsSinceEpoch: 1_768_469_400_000_000)
let later = Timestamp(microsecondsSinceEpoch: 1_768_469_500_000_000)

func euros(_ minorUnits: Int64) -> Money { Money(minorUnits: minorUnits, currency: euro) }

/// An order of three seats and a set-up fee, with whatever the test wants to be wrong about it.
func fulfilled(
    by tenant: TenantID = IdentifierSource.system.next(), order: OrderID = IdentifierSource.system.next(),
    customer: CustomerID = IdentifierSource.system.next(),
    lines: [OrderLineV1] = [line(3, 1250, 3750, number: 1), line(1, 9900, 9900, number: 2, sku: "SETUP")],
    total: Int64 = 13_650, currency: Currency = euro
) -> OrderFulfilledV1 {
    OrderFulfilledV1(
        tenantId: tenant, orderId: order, customerId: customer, currency: currency, lines: lines, totalMinor: total,
        fulfilledAt: now)
}

func line(_ quantity: Int64, _ price: Int64, _ amount: Int64, number: Int = 1, sku: String = "SEAT-PRO") -> OrderLineV1
{
    OrderLineV1(number: number, sku: sku, quantity: quantity, unitPriceMinor: price, amountMinor: amount)
}

func issued(_ event: OrderFulfilledV1 = fulfilled(), sequence: Int64 = 42) throws -> Invoice {
    Invoice(
        id: IdentifierSource.system.next(), number: InvoiceNumber(series: .standard, sequence: sequence),
        account: Account(openingFor: event.tenantId, at: now).id, charge: try Charge(event), at: now)
}
