import Foundation
import Metering
import Testing

@Suite("A quantity")
struct QuantityTests {
    @Test(
        "is read to its last digit, from every notation of JSON numbers",
        arguments: [
            ("0", "0"), ("-0", "0"), ("0.000", "0"), ("0e99999", "0"), ("1", "1"), ("10", "10"), ("1.50", "1.5"),
            ("0.1", "0.1"), ("1e2", "100"), ("1.5E+1", "15"), ("125e-3", "0.125"), ("100e-2", "1"), ("0.00001e5", "1"),
            ("999999999999999.999999999999", "999999999999999.999999999999"), ("0.000000000001", "0.000000000001"),
            ("123456789.000000000001", "123456789.000000000001"), ("1e14", "100000000000000"), ("5e-000001", "0.5"),
        ])
    func reading(_ text: String, _ canonical: String) throws {
        let quantity = try Quantity(text)
        #expect(quantity.text == canonical)
        #expect(quantity.decimal == Decimal(string: canonical))
        #expect(quantity.decimal.description == canonical)
        #expect(try Quantity(restoring: quantity.decimal) == quantity)
    }

    @Test(
        "is refused with the reason",
        arguments: [
            ("", QuantityError.malformed), ("-", .malformed), (".5", .malformed), ("5.", .malformed),
            ("01", .malformed),
            ("+1", .malformed), ("1e", .malformed), ("1e+", .malformed), ("1,5", .malformed), ("0x10", .malformed),
            (" 1", .malformed), ("1 ", .malformed), ("NaN", .malformed), ("Infinity", .malformed),
            ("1_000", .malformed),
            ("١", .malformed), ("1.2.3", .malformed), (String(repeating: "1", count: 65), .malformed),
            ("-1", .negative), ("-0.000000000001", .negative), ("1e15", .tooLarge), ("1000000000000000", .tooLarge),
            ("1e400", .tooLarge), ("1e99999999999999999999", .tooLarge), ("0.0000000000001", .tooFine),
            ("1e-13", .tooFine), ("1e-99999999999999999999", .tooFine), ("0.1234567890123", .tooFine),
        ])
    func refusal(_ text: String, _ reason: QuantityError) {
        #expect(throws: reason) { try Quantity(text) }
    }
}

@Suite("A meter's key")
struct MeterKeyTests {
    @Test(
        "is a lower-case letter and up to 99 more characters",
        arguments: ["a", "api.calls", "a-b_c.9", String(repeating: "k", count: 100)])
    func good(_ text: String) {
        #expect(MeterKey(text)?.text == text)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "A", "9a", ".a", "api calls", "api/calls", "größe", "a\u{0}", "ａ", String(repeating: "k", count: 101),
        ])
    func bad(_ text: String) {
        #expect(MeterKey(text) == nil)
    }

    @Test("knows Atrium's own")
    func builtIn() {
        #expect(MeterKey.ordersPlaced.isBuiltIn && MeterKey("orders.placed") == .ordersPlaced)
        #expect(MeterKey("orders.placed2")?.isBuiltIn == false)
    }
}
