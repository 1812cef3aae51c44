/// SQL text and the values that go with it; an interpolated value becomes a parameter and never part of the text.
package struct SQL: ExpressibleByStringInterpolation, Sendable {
    package private(set) var text: String
    package private(set) var bindings: Bindings

    package init(stringLiteral text: String) {
        self.text = text
        bindings = Bindings()
    }

    /// Takes the text as it is: it must not come from outside the program.
    package init(unsafeSQL text: String) {
        self.init(stringLiteral: text)
    }

    @inlinable
    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// Appends other SQL, whose parameters are numbered on from the ones here.
    package mutating func append(_ other: SQL) {
        guard bindings.count > 0, other.bindings.count > 0 else {
            let offset = text.utf8.count
            text += other.text
            bindings.append(other.bindings) { $0 + offset }
            return
        }
        var copied = other.text.utf8.startIndex
        var number = bindings.count
        let digits = other.bindings
        other.bindings.forEach { binding in
            let start = other.text.utf8.index(other.text.utf8.startIndex, offsetBy: binding.textOffset)
            text += other.text[copied..<start]
            number += 1
            let length = Self.placeholderLength(number - bindings.count)
            copied = other.text.utf8.index(start, offsetBy: length)
            text += "$\(number)"
        }
        text += other.text[copied...]
        bindings.append(digits) { $0 }
        renumber()
    }

    @usableFromInline
    mutating func append(literal: String) {
        text += literal
    }

    @inlinable
    mutating func append(_ value: some PostgresEncodable) {
        appendPlaceholder()
        bindings.append(value)
    }

    @usableFromInline
    mutating func appendPlaceholder() {
        bindings.beginValue(at: text.utf8.count)
        text += "$"
        text += String(bindings.count + 1)
    }

    @usableFromInline
    mutating func reserveCapacity(literal: Int, values: Int) {
        text.reserveCapacity(literal + values * 4)
        bindings.reserveCapacity(values)
    }
}
