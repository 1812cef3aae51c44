/// An amount in the smallest unit of its currency: 1250 of EUR is 12.50 euros.
public struct Money: Hashable, Sendable {
    public let minorUnits: Int64
    public let currency: Currency

    @inlinable
    public init(minorUnits: Int64, currency: Currency) {
        self.minorUnits = minorUnits
        self.currency = currency
    }

    public static func zero(_ currency: Currency) -> Money {
        Money(minorUnits: 0, currency: currency)
    }

    public func adding(_ other: Money) throws(MoneyError) -> Money {
        guard currency == other.currency else { throw .currencyMismatch(currency, other.currency) }
        let (sum, overflow) = minorUnits.addingReportingOverflow(other.minorUnits)
        guard !overflow else { throw .overflow }
        return Money(minorUnits: sum, currency: currency)
    }

    public func multiplied(by quantity: Int64) throws(MoneyError) -> Money {
        let (product, overflow) = minorUnits.multipliedReportingOverflow(by: quantity)
        guard !overflow else { throw .overflow }
        return Money(minorUnits: product, currency: currency)
    }
}

public enum MoneyError: Error, Hashable, Sendable {
    case currencyMismatch(Currency, Currency)
    case overflow
}

extension Money: Codable {
    private enum CodingKeys: String, CodingKey {
        case minorUnits = "minor"
        case currency
    }
}
