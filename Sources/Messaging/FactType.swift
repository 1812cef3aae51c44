import Foundation

/// A type of integration event taken apart: `orders.order.placed.v2` is version 2 of the fact `orders.order.placed`.
package struct FactType: Hashable, Sendable {
    package let fact: String
    package let version: Int

    package init?(_ type: some StringProtocol) {
        guard let mark = type.range(of: ".v", options: .backwards), mark.lowerBound > type.startIndex else {
            return nil
        }
        let digits = type[mark.upperBound...]
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), digits.first != "0",
            let version = Int(digits)
        else { return nil }
        fact = String(type[..<mark.lowerBound])
        self.version = version
    }
}
