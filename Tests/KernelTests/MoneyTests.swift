import Foundation
import Kernel
import Testing

@Suite("Money and currencies")
struct MoneyTests {
    private let euro = Currency("EUR")!
    private let yen = Currency("JPY")!

    @Test("amounts of one currency add up")
    func adding() throws {
        let sum = try Money(minorUnits: 1250, currency: euro).adding(Money(minorUnits: -50, currency: euro))
        #expect(sum == Money(minorUnits: 1200, currency: euro))
        #expect(try Money.zero(euro).adding(sum) == sum)
    }

    @Test("amounts of two currencies don't")
    func mismatch() {
        #expect(throws: MoneyError.currencyMismatch(euro, yen)) {
            try Money(minorUnits: 1, currency: euro).adding(Money(minorUnits: 1, currency: yen))
        }
    }

    @Test(
        "a sum that is too large is an error, in both directions",
        arguments: [(Int64.max, 1), (Int64.min, -1)] as [(Int64, Int64)])
    func sumOverflow(amount: Int64, more: Int64) {
        #expect(throws: MoneyError.overflow) {
            try Money(minorUnits: amount, currency: euro).adding(Money(minorUnits: more, currency: euro))
        }
    }

    @Test(
        "a product that is too large is an error",
        arguments: [(Int64.max, 2), (Int64.min, -1), (1 << 32, 1 << 31), (-(1 << 62), 4)] as [(Int64, Int64)])
    func productOverflow(amount: Int64, quantity: Int64) {
        #expect(throws: MoneyError.overflow) { try Money(minorUnits: amount, currency: euro).multiplied(by: quantity) }
    }

    @Test("a product that just fits is exact")
    func product() throws {
        let root: Int64 = 3_037_000_499
        #expect(
            try Money(minorUnits: root, currency: euro).multiplied(by: root).minorUnits == 9_223_372_030_926_249_001)
    }

    @Test("currencies know their decimals", arguments: [("EUR", 2), ("JPY", 0), ("BHD", 3), ("CLP", 0), ("TND", 3)])
    func decimals(code: String, decimals: Int) throws {
        #expect(try #require(Currency(code)).decimals == decimals)
    }

    @Test(
        "what is no currency is refused", arguments: ["", "eur", "EU", "EURO", "XXX", "XAU", "DEM", "ZZZ", " EUR", "€"])
    func unknown(code: String) {
        #expect(Currency(code) == nil)
    }

    @Test("every currency is three capitals, once")
    func all() {
        #expect(Currency.all.count > 150)
        #expect(Currency.all.allSatisfy { $0.utf8.count == 3 && $0.utf8.allSatisfy { (0x41...0x5A).contains($0) } })
        #expect(Currency.all == Set(Currency.all).sorted())
    }

    @Test("a currency survives Codable, and an unknown one does not")
    func codable() throws {
        #expect(try JSONDecoder().decode([Currency].self, from: JSONEncoder().encode([euro])) == [euro])
        #expect(throws: DecodingError.self) { try JSONDecoder().decode([Currency].self, from: Data("[\"XXX\"]".utf8)) }
    }
}
