package import Foundation

/// An exact amount of usage: not negative, below 10¹⁵, to at most 12 decimal places.
///
/// These bounds leave room for a hundred billion of them in the 38 digits of a `Decimal`, so sums are exact as well.
package struct Quantity: Hashable, Sendable {
    package static let wholeDigits = 15
    package static let fractionDigits = 12

    /// The shortest plain notation.
    package let text: String
    package let decimal: Decimal

    package static let one = Quantity(canonical: "1", .init(1))

    private init(canonical text: String, _ decimal: Decimal) {
        self.text = text
        self.decimal = decimal
    }

    /// Reads the notation of JSON numbers (RFC 8259, section 6) to its last digit.
    package init(_ text: some StringProtocol) throws(QuantityError) {
        let number = try Notation(text)
        guard !number.isNegative || number.digits.isEmpty else { throw .negative }
        guard number.digits.count + number.exponent <= Self.wholeDigits else { throw .tooLarge }
        guard -number.exponent <= Self.fractionDigits else { throw .tooFine }
        let plain = number.plain
        guard let decimal = Decimal(string: plain, locale: Locale(identifier: "en_US_POSIX")) else { throw .malformed }
        self.init(canonical: plain, decimal)
    }

    /// Brings back a quantity that was saved.
    package init(restoring decimal: Decimal) throws(QuantityError) {
        try self.init(decimal.description)
    }
}

package enum QuantityError: Error, Hashable, Sendable {
    case malformed
    case negative
    case tooLarge
    case tooFine
}

extension QuantityError: CustomStringConvertible {
    /// Follows the name of the field.
    package var description: String {
        switch self {
        case .malformed: "must be a decimal number, as a JSON number or a string of the same notation"
        case .negative: "must not be negative"
        case .tooLarge: "must be below 10^\(Quantity.wholeDigits)"
        case .tooFine: "must have at most \(Quantity.fractionDigits) decimal places"
        }
    }
}

/// The digits of a number without zeros at either end, and the power of ten they are multiplied by.
private struct Notation {
    let isNegative: Bool
    let digits: [UInt8]
    let exponent: Int

    init(_ text: some StringProtocol) throws(QuantityError) {
        guard text.utf8.count <= 64 else { throw .malformed }
        var rest = Array(text.utf8)[...]
        isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest.removeFirst() }
        var digits = Self.digits(&rest)
        guard !digits.isEmpty, digits.count == 1 || digits[0] != UInt8(ascii: "0") else { throw .malformed }
        var exponent = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let fraction = Self.digits(&rest)
            guard !fraction.isEmpty else { throw .malformed }
            digits += fraction
            exponent = -fraction.count
        }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            let isBelow = rest.first == UInt8(ascii: "-")
            if isBelow || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
            let written = Self.digits(&rest)
            guard !written.isEmpty else { throw .malformed }
            // Beyond five digits it is out of range whatever it is; a zero stays a zero.
            let power = Int(String(decoding: written.drop { $0 == UInt8(ascii: "0") }.prefix(6), as: UTF8.self)) ?? 0
            exponent += isBelow ? -power : power
        }
        guard rest.isEmpty else { throw .malformed }
        while digits.last == UInt8(ascii: "0") {
            digits.removeLast()
            exponent += 1
        }
        self.digits = Array(digits.drop { $0 == UInt8(ascii: "0") })
        self.exponent = self.digits.isEmpty ? 0 : exponent
    }

    private static func digits(_ rest: inout ArraySlice<UInt8>) -> [UInt8] {
        let digits = rest.prefix(while: isDigit)
        rest = rest.dropFirst(digits.count)
        return Array(digits)
    }

    /// Without an exponent: for numbers within the bounds of a quantity.
    var plain: String {
        guard !digits.isEmpty else { return "0" }
        func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
        let text = String(decoding: digits, as: UTF8.self)
        if exponent >= 0 { return text + zeros(exponent) }
        let places = -exponent
        if places >= digits.count { return "0." + zeros(places - digits.count) + text }
        return "\(text.dropLast(places)).\(text.suffix(places))"
    }
}
