/// SQL text and the values that go with it; an interpolated value becomes a parameter, never part of the text.
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

    package init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// Appends a parameter.
    package mutating func append(_ value: some PostgresEncodable) {
        bindings.append(value, at: appendPlaceholder())
    }

    /// Appends other SQL, whose parameters are numbered on from the ones here.
    package mutating func append(_ other: SQL) {
        let source = Array(other.text.utf8)
        var copied = 0
        var number = 0
        other.bindings.visit { binding in
            number += 1
            text += String(decoding: source[copied..<binding.textOffset], as: UTF8.self)
            copied = binding.textOffset + 1 + String(number).utf8.count
            bindings.append(binding, at: appendPlaceholder())
        }
        text += String(decoding: source[copied...], as: UTF8.self)
    }

    /// The same parameters under another text, which must number them as this one does.
    package func replacingText(with text: String) -> SQL {
        var copy = self
        copy.text = text
        return copy
    }

    fileprivate mutating func append(text more: String) {
        text += more
    }

    /// Returns where in the text the placeholder stands.
    private mutating func appendPlaceholder() -> Int {
        let offset = text.utf8.count
        text += "$"
        text += String(bindings.count + 1)
        return offset
    }

    fileprivate mutating func reserveCapacity(literal: Int, values: Int) {
        text.reserveCapacity(literal + values * 4)
        bindings.reserveCapacity(values)
    }
}

extension SQL: CustomStringConvertible {
    /// The text alone: values stay out of logs.
    package var description: String { text }
}

extension SQL {
    package struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var sql = SQL(stringLiteral: "")

        package init(literalCapacity: Int, interpolationCount: Int) {
            sql.reserveCapacity(literal: literalCapacity, values: interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            sql.append(text: literal)
        }

        /// A parameter.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            sql.append(value)
        }

        /// Part of a statement, with its own parameters.
        /// An absent value is NULL. Without this overload the compiler takes every optional for a mistake.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            sql.append(value)
        }

        package mutating func appendInterpolation(_ other: SQL) {
            sql.append(other)
        }

        /// Text that is spliced in as it is: it must not come from outside the program.
        package mutating func appendInterpolation(unsafeSQL text: String) {
            sql.append(text: text)
        }

        /// The name of a table, column, role or schema, quoted.
        package mutating func appendInterpolation(identifier name: String) {
            sql.append(text: "\"" + name.replacing("\"", with: "\"\"") + "\"")
        }
    }
}
