import Billing
import BillingContracts
import Kernel
import OrdersContracts
import Testing

@Suite("What is to be invoiced")
struct ChargeTests {
    @Test("copies the order's lines and total")
    func copy() throws {
        let event = fulfilled()
        let charge = try Charge(event)
        #expect(charge.orderID == event.orderId && charge.customerID == event.customerId)
        #expect(charge.lines.map(\.sku) == ["SEAT-PRO", "SETUP"])
        #expect(charge.lines.map(\.quantity) == [3, 1])
        #expect(charge.lines.map(\.amount) == [euros(3750), euros(9900)])
        #expect(charge.total == euros(13_650))
    }

    @Test("is refused where a line does not come to what it says")
    func lineMismatch() {
        #expect(throws: BillingError.lineDoesNotAddUp(sku: "SEAT-PRO", stated: euros(3751), computed: euros(3750))) {
            try Charge(fulfilled(lines: [line(3, 1250, 3751)], total: 3751))
        }
    }

    @Test("is refused where the total is not the sum of the lines", arguments: [13_649, 13_651, 0, -13_650])
    func totalMismatch(_ total: Int64) {
        #expect(throws: BillingError.totalDoesNotAddUp(stated: euros(total), computed: euros(13_650))) {
            try Charge(fulfilled(total: total))
        }
    }

    @Test("is refused where an amount leaves 64 bits, in a line and in the sum")
    func overflow() {
        #expect(throws: BillingError.amountTooLarge) {
            try Charge(fulfilled(lines: [line(2, .max, -2)], total: -2))
        }
        #expect(throws: BillingError.amountTooLarge) {
            try Charge(fulfilled(lines: [line(1, .max, .max), line(1, 1, 1)], total: .min))
        }
    }

    @Test("is refused without lines, with a quantity that is not above zero, and with a negative price")
    func nonsense() {
        #expect(throws: BillingError.noLines) { try Charge(fulfilled(lines: [], total: 0)) }
        for quantity in [0, -1, Int64.min] {
            #expect(throws: BillingError.quantityNotPositive(sku: "SEAT-PRO", quantity)) {
                try Charge(fulfilled(lines: [line(quantity, 0, 0)], total: 0))
            }
        }
        #expect(throws: BillingError.negativePrice(sku: "SEAT-PRO")) {
            try Charge(fulfilled(lines: [line(1, -1, -1)], total: -1))
        }
    }

    @Test("may come to nothing, and to all that 64 bits hold")
    func extremes() throws {
        #expect(try Charge(fulfilled(lines: [line(1, 0, 0)], total: 0)).total == euros(0))
        #expect(try Charge(fulfilled(lines: [line(1, .max, .max)], total: .max)).total == euros(.max))
    }

    @Test("does not mix currencies")
    func currencies() throws {
        let yen = Money(minorUnits: 5, currency: Currency("JPY")!)
        let inYen = try InvoiceLine(sku: "A", quantity: 1, unitPrice: yen, amount: yen)
        #expect(throws: BillingError.currencyMismatch(euro, Currency("JPY")!)) {
            try Charge(
                orderID: IdentifierSource.system.next(), customerID: IdentifierSource.system.next(), lines: [inYen],
                total: euros(5))
        }
    }
}
