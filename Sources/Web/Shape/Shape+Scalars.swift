package import Foundation
package import Kernel

extension Shape {
    /// Length counts Unicode code points. U+0000 is never taken, because PostgreSQL's text can't hold it.
    package static func string(_ length: ClosedRange<Int> = 0...10_000, _ rule: TextRule? = nil) -> Shape
    where Value == String {
        var schema: JSONObject = .init([
            .init(name: "type", value: "string"), .init(name: "minLength", value: .integer(length.lowerBound)),
            .init(name: "maxLength", value: .integer(length.upperBound)),
        ])
        if let rule { schema["pattern"] = .string(rule.pattern) }
        return text(.object(schema), example: rule?.example ?? "text") { text throws(TextComplaint) in
            // Most texts are ASCII and far from the limits: their bytes are counted, not their characters.
            let bytes = text.utf8.count
            if bytes > length.upperBound || bytes < length.lowerBound * 4 {
                let count = text.unicodeScalars.count
                guard length.contains(count) else {
                    throw TextComplaint("must have \(described(length)) characters, but has \(count)")
                }
            }
            if text.utf8.contains(0) { throw TextComplaint("must not contain U+0000") }
            if let rule, !rule.holds(text) { throw TextComplaint("must be \(rule.name)") }
            return text
        } format: {
            $0
        }
    }

    package static func integer(_ range: ClosedRange<Int64> = .min ... .max) -> Shape where Value == Int64 {
        Shape(
            schema: [
                "type": "integer", "format": "int64", "minimum": .integer(range.lowerBound),
                "maximum": .integer(range.upperBound),
            ],
            example: .integer(range.contains(1) ? 1 : range.lowerBound),
            read: { json, violations in
                guard case .number(let text) = json else {
                    violations.append(.mistyped("an integer", json))
                    return nil
                }
                guard let value = Int64(text), range.contains(value) else {
                    let isWhole = !text.utf8.contains { $0 == 0x2E || $0 | 0x20 == 0x65 }
                    violations.append(
                        Violation(
                            isWhole
                                ? "must be between \(range.lowerBound) and \(range.upperBound)"
                                : "must be written as an integer, without point or exponent"))
                    return nil
                }
                return value
            },
            write: { $1.integer($0) })
    }

    package static func identifier<Kind>(_ type: Identifier<Kind>.Type = Identifier<Kind>.self) -> Shape
    where Value == Identifier<Kind> {
        text(["type": "string", "format": "uuid"], example: "0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20") {
            text throws(TextComplaint) in
            guard let value = Identifier<Kind>(text) else { throw TextComplaint("must be a UUID of 36 characters") }
            return value
        } format: {
            $0.description
        }
    }

    /// An exact decimal number, written as a string so that no reader rounds it.
    package static func decimal(_ range: ClosedRange<Decimal>? = nil, fraction: Int = 12) -> Shape
    where Value == Decimal {
        let pattern = "^-?[0-9]{1,24}(\\.[0-9]{1,\(fraction)})?$"
        return text(["type": "string", "format": "decimal", "pattern": .string(pattern)], example: "12.5") {
            text throws(TextComplaint) in
            guard let value = exactDecimal(text, fraction: fraction) else {
                throw TextComplaint(
                    "must be a decimal number of at most 24 digits, and \(fraction) after the point, as a string")
            }
            if let range, !range.contains(value) {
                throw TextComplaint("must be between \(range.lowerBound) and \(range.upperBound)")
            }
            return value
        } format: {
            $0.description
        }
    }

    package static func enumeration(_ type: Value.Type = Value.self) -> Shape
    where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
        let names = Value.allCases.map(\.rawValue)
        let complaint = "must be one of " + names.joined(separator: ", ")
        return text(
            ["type": "string", "enum": .array(names.map { .string($0) })], example: .string(names.first ?? "")
        ) { text throws(TextComplaint) in
            guard let value = Value(rawValue: text) else { throw TextComplaint(complaint) }
            return value
        } format: {
            $0.rawValue
        }
    }

    /// Exactly this text.
    package static func constant(_ text: String) -> Shape where Value == String {
        self.text(["type": "string", "const": .string(text)], example: .string(text)) { given throws(TextComplaint) in
            guard given == text else { throw TextComplaint("must be \(text)") }
            return given
        } format: {
            $0
        }
    }

    /// A shape whose JSON is a string; `parse` throws the complaint.
    package static func text(
        _ schema: JSON, example: JSON, parse: @escaping @Sendable (String) throws(TextComplaint) -> Value,
        format: @escaping @Sendable (Value) -> String
    ) -> Shape {
        Shape(
            schema: schema, example: example,
            read: { json, violations in
                guard case .string(let text) = json else {
                    violations.append(.mistyped("a string", json))
                    return nil
                }
                do throws(TextComplaint) {
                    return try parse(text)
                } catch {
                    violations.append(Violation(error.text))
                    return nil
                }
            },
            write: { $1.string(format($0)) })
    }
}

extension Shape where Value == Bool {
    package static var boolean: Shape {
        Shape(
            schema: ["type": "boolean"], example: true,
            read: { json, violations in
                guard case .bool(let value) = json else {
                    violations.append(.mistyped("true or false", json))
                    return nil
                }
                return value
            },
            write: { $1.bool($0) })
    }
}

extension Shape where Value == Timestamp {
    package static var timestamp: Shape {
        text(["type": "string", "format": "date-time"], example: "2026-02-03T09:30:00Z") {
            text throws(TextComplaint) in
            guard let value = Timestamp(text) else {
                throw TextComplaint("must be a time of RFC 3339, such as 2026-02-03T09:30:00Z")
            }
            return value
        } format: {
            $0.description
        }
    }
}

extension Shape where Value == Currency {
    package static var currency: Shape {
        text(["type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217"], example: "EUR") {
            text throws(TextComplaint) in
            guard let value = Currency(text) else { throw TextComplaint("must be a currency code of ISO 4217") }
            return value
        } format: {
            $0.code
        }
    }
}

extension Shape where Value == JSON {
    /// Any JSON at all, handed on as it is.
    package static var json: Shape {
        Shape(schema: [:], example: [:], read: { json, _ in json }, write: { $1.value($0) })
    }
}

/// What is wrong with a text, put so that it follows the name of the field.
package struct TextComplaint: Error {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

/// What a text must look like beyond its length: the pattern for the reader of the schema, the closure for the server.
package struct TextRule: Sendable {
    /// Follows "must be".
    package let name: String
    package let pattern: String
    package let example: JSON
    package let holds: @Sendable (String) -> Bool

    package init(_ name: String, pattern: String, example: JSON, holds: @escaping @Sendable (String) -> Bool) {
        self.name = name
        self.pattern = pattern
        self.example = example
        self.holds = holds
    }

    /// Lower-case letters and digits, with single hyphens between them.
    package static let slug = TextRule(
        "lower-case letters and digits with single hyphens between", pattern: "^[a-z0-9]+(-[a-z0-9]+)*$",
        example: "acme"
    ) { text in
        var lastWasHyphen = true
        for byte in text.utf8 {
            let isHyphen = byte == UInt8(ascii: "-")
            guard isHyphen ? !lastWasHyphen : isLowerAlphanumeric(byte) else { return false }
            lastWasHyphen = isHyphen
        }
        return !lastWasHyphen
    }

    /// No more than the shape of an address: the mail that is sent to it is the real check.
    package static let email = TextRule(
        "an e-mail address", pattern: "^[^@\\s]+@[^@\\s]+$", example: "ada@example.com"
    ) { text in
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && !text.unicodeScalars.contains { $0.properties.isWhitespace }
    }

    /// Something to read: not blank, no control characters.
    package static let line = TextRule(
        "one line that is not blank", pattern: "^(?=.*\\S)[^\\u0000-\\u001F\\u007F]*$", example: "A name"
    ) { text in
        var isBlank = true
        for scalar in text.unicodeScalars {
            if scalar.value < 0x20 || scalar.value == 0x7F { return false }
            if isBlank, !scalar.properties.isWhitespace { isBlank = false }
        }
        return !isBlank
    }

    /// Letters, digits and `._:/-`: article numbers, meter names, sources.
    package static let code = TextRule(
        "letters, digits and . _ : / -", pattern: "^[A-Za-z0-9._:/-]*$", example: "SKU-1"
    ) { text in
        text.utf8.allSatisfy { byte in
            isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ":")
                || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "-")
        }
    }
}

private func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// Only digits, a point and a sign, so that nothing that `Decimal(string:)` would cut off is let through.
private func exactDecimal(_ text: String, fraction: Int) -> Decimal? {
    var digits = text[...]
    if digits.first == "-" { digits.removeFirst() }
    let parts = digits.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
        parts[0].utf8.count <= 24, parts.count == 1 || parts[1].utf8.count <= fraction
    else { return nil }
    return Decimal(string: text, locale: Locale(identifier: "en_US_POSIX"))
}
