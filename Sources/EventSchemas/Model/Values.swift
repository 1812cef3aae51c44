import Foundation
import Kernel

extension JSON {
    /// The number exactly; nil for one that is too large or too fine for exact arithmetic here.
    var decimal: Decimal? {
        guard case .number(let text) = self, text.utf8.count <= 40, let value = Decimal(string: text), !value.isNaN,
            abs(value) < Self.limit, (value * Self.limit).isWhole
        else { return nil }
        return value
    }

    private static let limit = Decimal(sign: .plus, exponent: 18, significand: 1)

    /// Whether every number in it can be compared.
    var isComparable: Bool {
        switch self {
        case .number: decimal != nil
        case .array(let elements): elements.allSatisfy(\.isComparable)
        case .object(let object): object.members.allSatisfy(\.value.isComparable)
        case .null, .bool, .string: true
        }
    }

    /// A count, as lengths and sizes are.
    var count: Int? {
        guard let decimal, decimal >= 0, decimal <= 1_000_000_000, decimal.isWhole else { return nil }
        return NSDecimalNumber(decimal: decimal).intValue
    }

    /// Whether the two are equal as JSON Schema has it: 1 is 1.0, and the order of members says nothing.
    func isSame(as other: JSON) -> Bool {
        switch (self, other) {
        case (.number(let one), .number(let two)):
            if one == two { return true }
            guard let one = decimal, let two = other.decimal else { return false }
            return one == two
        case (.array(let one), .array(let two)):
            return one.count == two.count && zip(one, two).allSatisfy { $0.isSame(as: $1) }
        case (.object(let one), .object(let two)):
            return one.members.count == two.members.count
                && one.members.allSatisfy { member in two[member.name].map { member.value.isSame(as: $0) } ?? false }
        default: return self == other
        }
    }

    /// Whether the two lists hold the same values, whatever their order.
    func isSameSet(as other: JSON) -> Bool {
        guard let one = elements, let two = other.elements else { return isSame(as: other) }
        return one.allSatisfy { value in two.contains { value.isSame(as: $0) } }
            && two.allSatisfy { value in one.contains { value.isSame(as: $0) } }
    }
}

extension Decimal {
    var isWhole: Bool { rounded(.down) == self }

    /// Down is towards minus infinity.
    func rounded(_ mode: NSDecimalNumber.RoundingMode) -> Decimal {
        var value = self
        var result = Decimal()
        NSDecimalRound(&result, &value, 0, mode)
        return result
    }

    func isMultiple(of other: Decimal) -> Bool {
        guard other != 0 else { return false }
        let quotient = (self / other).rounded(.plain)
        return quotient * other == self
    }
}

/// Kinds of JSON values, the whole numbers apart from the others.
struct Types: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let null = Types(rawValue: 1)
    static let boolean = Types(rawValue: 2)
    static let integer = Types(rawValue: 4)
    static let fraction = Types(rawValue: 8)
    static let string = Types(rawValue: 16)
    static let array = Types(rawValue: 32)
    static let object = Types(rawValue: 64)
    static let number: Types = [.integer, .fraction]
    static let all: Types = [.null, .boolean, .number, .string, .array, .object]
    static let each: [Types] = [.null, .boolean, .integer, .fraction, .string, .array, .object]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// What the keyword `type` allows; nil where it is none of the specification's.
    init?(keyword: JSON) {
        let names = keyword.elements ?? [keyword]
        var types: Types = []
        for name in names {
            guard let type = Self.named[name.string ?? ""] else { return nil }
            types.formUnion(type)
        }
        self = types
    }

    /// A number too long to be looked at may be either kind.
    init(of value: JSON) {
        switch value {
        case .null: self = .null
        case .bool: self = .boolean
        case .number: self = value.decimal.map { $0.isWhole ? .integer : .fraction } ?? .number
        case .string: self = .string
        case .array: self = .array
        case .object: self = .object
        }
    }

    private static let named: [String: Types] = [
        "null": .null, "boolean": .boolean, "integer": .integer, "number": .number, "string": .string, "array": .array,
        "object": .object,
    ]

    /// For messages.
    var text: String {
        var names: [String] = []
        if contains(.null) { names.append("null") }
        if contains(.boolean) { names.append("boolean") }
        if contains(.number) {
            names.append("number")
        } else if contains(.integer) {
            names.append("integer")
        } else if contains(.fraction) {
            names.append("number that is not whole")
        }
        if contains(.string) { names.append("string") }
        if contains(.array) { names.append("array") }
        if contains(.object) { names.append("object") }
        return names.isEmpty ? "nothing" : names.joined(separator: " or ")
    }
}

/// A regular expression, as far as ECMA 262 and the one at hand agree about it.
enum Pattern {
    /// Whether the text has a match; nil where the two dialects could differ.
    static func matches(_ pattern: String, _ text: String) -> Bool? {
        guard isCommonGround(pattern), !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value > 0x7E }),
            let expression = try? NSRegularExpression(pattern: pattern)
        else { return nil }
        return expression.firstMatch(in: text, range: NSRange(text.startIndex..., in: text)) != nil
    }

    private static func isCommonGround(_ pattern: String) -> Bool {
        guard !pattern.contains("(?"), !pattern.contains("&&"), !pattern.contains("--") else { return false }
        var inClass = false
        var escaped = false
        for byte in pattern.utf8 {
            guard (0x20...0x7E).contains(byte) else { return false }
            if escaped {
                // Escaped letters mean different things; escaped signs mean themselves.
                if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                {
                    return false
                }
                escaped = false
                continue
            }
            switch byte {
            case UInt8(ascii: "\\"): escaped = true
            case UInt8(ascii: "["):
                if inClass { return false }
                inClass = true
            case UInt8(ascii: "]"): inClass = false
            default: break
            }
        }
        return true
    }
}
