/// The name of a meter within its tenant, such as `api.calls`.
package struct MeterKey: Hashable, Sendable {
    package static let pattern = "^[a-z][a-z0-9._-]{0,99}$"

    package let text: String

    /// A lower-case letter, then up to 99 lower-case letters, digits, dots, underscores and hyphens.
    package init?(_ text: String) {
        guard (1...100).contains(text.utf8.count), let first = text.utf8.first, isLowerLetter(first),
            text.utf8.allSatisfy({ isLowerLetter($0) || isDigit($0) || ".-_".utf8.contains($0) })
        else { return nil }
        self.text = text
    }

    private init(known text: String) {
        self.text = text
    }

    /// Counts the orders that a tenant's customers commit to; Atrium records it by itself.
    package static let ordersPlaced = MeterKey(known: "orders.placed")
}

extension MeterKey: Comparable {
    package static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}

extension MeterKey: CustomStringConvertible {
    package var description: String { text }
}

private func isLowerLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
