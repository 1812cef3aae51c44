package import Foundation
package import Kernel

/// A value that can be a parameter of a statement.
package protocol PostgresEncodable: Sendable {
    /// The type that the server is told the parameter has.
    static var postgresType: PostgresType { get }
    var isNull: Bool { get }
    /// Writes PostgreSQL's binary format; not called for NULL.
    func encode(into writer: inout ParameterWriter)
}

extension PostgresEncodable {
    package var isNull: Bool { false }
}

/// A document of JSON, as its text; reads and writes both `jsonb` and `json`.
package struct JSONText: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

extension Bool: PostgresEncodable {
    package static var postgresType: PostgresType { .bool }
    package func encode(into writer: inout ParameterWriter) { writer.write(UInt8(self ? 1 : 0)) }
}

extension Int16: PostgresEncodable {
    package static var postgresType: PostgresType { .int2 }
    package func encode(into writer: inout ParameterWriter) { writer.write(self) }
}

extension Int32: PostgresEncodable {
    package static var postgresType: PostgresType { .int4 }
    package func encode(into writer: inout ParameterWriter) { writer.write(self) }
}

extension Int64: PostgresEncodable {
    package static var postgresType: PostgresType { .int8 }
    package func encode(into writer: inout ParameterWriter) { writer.write(self) }
}

extension Int: PostgresEncodable {
    package static var postgresType: PostgresType { .int8 }
    package func encode(into writer: inout ParameterWriter) { writer.write(Int64(self)) }
}

extension Double: PostgresEncodable {
    package static var postgresType: PostgresType { .float8 }
    package func encode(into writer: inout ParameterWriter) { writer.write(bitPattern) }
}

extension String: PostgresEncodable {
    package static var postgresType: PostgresType { .text }
    package func encode(into writer: inout ParameterWriter) { writer.write(self) }
}

extension UUID: PostgresEncodable {
    package static var postgresType: PostgresType { .uuid }
    package func encode(into writer: inout ParameterWriter) {
        withUnsafeBytes(of: uuid) { writer.write(contentsOf: $0) }
    }
}

extension Identifier: PostgresEncodable {
    package static var postgresType: PostgresType { .uuid }
    package func encode(into writer: inout ParameterWriter) { uuid.encode(into: &writer) }
}

extension Timestamp: PostgresEncodable {
    package static var postgresType: PostgresType { .timestamptz }
    package func encode(into writer: inout ParameterWriter) {
        // The two ends of the range stand for the infinities in the format, so out of range becomes infinite there.
        let (value, overflow) = microsecondsSinceEpoch.subtractingReportingOverflow(Self.postgresEpoch)
        writer.write(overflow ? Int64.min : value)
    }

    /// 2000-01-01T00:00:00Z, from which the binary format counts.
    static let postgresEpoch: Int64 = 946_684_800_000_000
}

extension Decimal: PostgresEncodable {
    package static var postgresType: PostgresType { .numeric }
    package func encode(into writer: inout ParameterWriter) {
        NumericDigits(self).write(into: &writer)
    }
}

extension JSONText: PostgresEncodable {
    package static var postgresType: PostgresType { .jsonb }
    package func encode(into writer: inout ParameterWriter) {
        writer.write(Self.jsonbVersion)
        writer.write(text)
    }

    static let jsonbVersion: UInt8 = 1
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package static var postgresType: PostgresType { Wrapped.postgresType }
    package var isNull: Bool { self?.isNull ?? true }
    package func encode(into writer: inout ParameterWriter) { self?.encode(into: &writer) }
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package static var postgresType: PostgresType { Element.postgresArrayType }
    package func encode(into writer: inout ParameterWriter) { Element.encode(array: self, into: &writer) }
}

/// An enumeration, or whatever else is its raw value in the database: declaring the conformance is enough.
extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    package static var postgresType: PostgresType { RawValue.postgresType }
    package func encode(into writer: inout ParameterWriter) { rawValue.encode(into: &writer) }
}
