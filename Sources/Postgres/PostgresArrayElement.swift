package import Foundation
package import Kernel

/// What an array parameter or column can be made of; arrays have one dimension.
package protocol PostgresArrayElement: Sendable {
    static var postgresArrayType: PostgresType { get }
    static func encode(array: [Self], into writer: inout ParameterWriter)
    static func decode(array cell: PostgresCell) throws(CellError) -> [Self]
}

extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    package static func encode(array: [Self], into writer: inout ParameterWriter) {
        writer.write(Int32(array.isEmpty ? 0 : 1))
        writer.write(Int32(array.contains(where: \.isNull) ? 1 : 0))
        writer.write(postgresType.oid)
        guard !array.isEmpty else { return }
        writer.write(Int32(array.count))
        writer.write(Int32(1))
        for element in array {
            if element.isNull {
                writer.write(Int32(-1))
            } else {
                writer.writePrefixed { element.encode(into: &$0) }
            }
        }
    }

    package static func decode(array cell: PostgresCell) throws(CellError) -> [Self] {
        var reader = try CellReader(cell)
        let dimensions = try reader.read(Int32.self)
        _ = try reader.read(Int32.self)
        let type = PostgresType(oid: try reader.read(UInt32.self))
        if dimensions == 0 { return [] }
        guard dimensions == 1 else { throw .malformed("an array of \(dimensions) dimensions") }
        let count = try reader.read(Int32.self)
        _ = try reader.read(Int32.self)
        // Every element takes four bytes at least, so a count that lies is caught before it reserves memory.
        guard count >= 0, Int(count) * 4 <= reader.remaining else { throw .malformed("an array cut short") }
        var array: [Self] = []
        array.reserveCapacity(Int(count))
        for _ in 0..<count {
            let length = try reader.read(Int32.self)
            let bytes = length < 0 ? nil : try reader.read(bytes: Int(length))
            array.append(try Self(postgres: PostgresCell(type: type, bytes: bytes)))
        }
        return array
    }
}

extension Bool: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .boolArray }
}

extension Int16: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int2Array }
}

extension Int32: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int4Array }
}

extension Int64: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int8Array }
}

extension Int: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .int8Array }
}

extension Double: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .float8Array }
}

extension String: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .textArray }
}

extension UUID: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .uuidArray }
}

extension Identifier: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .uuidArray }
}

extension Timestamp: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .timestamptzArray }
}

extension Decimal: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .numericArray }
}

extension JSONText: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .jsonbArray }
}

extension Optional: PostgresArrayElement
where Wrapped: PostgresArrayElement & PostgresEncodable & PostgresDecodable {
    package static var postgresArrayType: PostgresType { Wrapped.postgresArrayType }
}

/// An array of bytes is one `bytea`.
extension UInt8: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .bytea }

    package static func encode(array: [UInt8], into writer: inout ParameterWriter) {
        writer.write(contentsOf: array)
    }

    package static func decode(array cell: PostgresCell) throws(CellError) -> [UInt8] {
        Array(try cell.require(.bytea))
    }
}

/// An array of arrays of bytes is a `bytea[]`.
extension [UInt8]: PostgresArrayElement {
    package static var postgresArrayType: PostgresType { .byteaArray }
}
