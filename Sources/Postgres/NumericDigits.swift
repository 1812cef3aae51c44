import Foundation

/// PostgreSQL's `numeric`: digits to the base of 10,000, the first of which counts for 10,000 to the power of `weight`.
struct NumericDigits {
    private var digits: [UInt16] = []
    private var weight = 0
    private var sign: UInt16 = 0
    /// Decimal places that are shown.
    private var scale = 0

    private static let negative: UInt16 = 0x4000
    private static let notANumber: UInt16 = 0xC000
    /// What a Decimal's 128 bits hold without loss.
    private static let decimalDigits = 38

    init(_ value: Decimal) {
        guard !value.isNaN else {
            sign = Self.notANumber
            return
        }
        // `description` is the plain notation, whatever the locale.
        let text = value.description
        let parts = text.drop { $0 == "-" }.split(separator: ".", omittingEmptySubsequences: false)
        var whole = Array(parts[0].utf8.drop { $0 == UInt8(ascii: "0") })
        var fraction = parts.count > 1 ? Array(parts[1].utf8) : []
        scale = fraction.count
        whole.insert(contentsOf: Self.zeros((4 - whole.count % 4) % 4), at: 0)
        fraction += Self.zeros((4 - fraction.count % 4) % 4)
        weight = whole.count / 4 - 1
        let all = whole + fraction
        for start in stride(from: 0, to: all.count, by: 4) {
            digits.append(all[start..<start + 4].reduce(0) { $0 * 10 + UInt16($1 - UInt8(ascii: "0")) })
        }
        while digits.last == 0 { digits.removeLast() }
        if !digits.isEmpty && text.hasPrefix("-") { sign = Self.negative }
    }

    init(_ cell: PostgresCell) throws(CellError) {
        var reader = try CellReader(cell)
        let count = try reader.read(Int16.self)
        weight = Int(try reader.read(Int16.self))
        sign = try reader.read(UInt16.self)
        scale = Int(try reader.read(Int16.self))
        guard sign == 0 || sign == Self.negative else { throw .malformed("a numeric that isn't a finite number") }
        for _ in 0..<max(0, count) { digits.append(try reader.read(UInt16.self)) }
    }

    func write(into writer: inout ParameterWriter) {
        writer.write(Int16(digits.count))
        writer.write(Int16(weight))
        writer.write(sign)
        writer.write(Int16(scale))
        for digit in digits { writer.write(digit) }
    }

    /// Exact, or an error: a Decimal holds 38 digits.
    func decimal() throws(CellError) -> Decimal {
        var text = ""
        for digit in digits {
            let group = String(digit)
            text += String(repeating: "0", count: 4 - group.utf8.count) + group
        }
        var exponent = (weight - digits.count + 1) * 4
        while text.hasSuffix("0") {
            text.removeLast()
            exponent += 1
        }
        let significant = text.drop { $0 == "0" }
        guard !significant.isEmpty else { return .zero }
        guard significant.utf8.count <= Self.decimalDigits, (-127...127).contains(exponent),
            let value = Decimal(string: "\(sign == 0 ? "" : "-")\(significant)e\(exponent)")
        else { throw .malformed("a numeric with more digits than a Decimal holds") }
        return value
    }

    private static func zeros(_ count: Int) -> [UInt8] {
        Array(repeating: UInt8(ascii: "0"), count: count)
    }
}
