package import Kernel

/// The rules of trade that hold for every tenant.
package struct OrderPolicy: Sendable {
    /// The least an order may come to when it is placed, in whole units of its currency: 1 is 1.00 EUR or 1 JPY.
    package let minimumMajorUnits: Int64

    package init(minimumMajorUnits: Int64 = 1) {
        self.minimumMajorUnits = minimumMajorUnits
    }

    package func minimum(in currency: Currency) -> Money {
        var minorUnits = minimumMajorUnits
        for _ in 0..<currency.decimals { minorUnits *= 10 }
        return Money(minorUnits: minorUnits, currency: currency)
    }
}
