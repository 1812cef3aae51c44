package import Foundation
package import Kernel

/// A value that a column can be read as.
package protocol PostgresDecodable: Sendable {
    init(postgres cell: PostgresCell) throws(CellError)
}

/// One column of one row in PostgreSQL's binary format, lent while it is decoded.
package struct PostgresCell {
    package let type: PostgresType
    /// Nothing for NULL.
    package let bytes: UnsafeRawBufferPointer?

    /// The bytes, where the cell is not NULL and of one of these types.
    package func require(_ types: PostgresType...) throws(CellError) -> UnsafeRawBufferPointer {
        guard let bytes else { throw .null }
        guard types.contains(type) else { throw .type(type) }
        return bytes
    }

    func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) throws(CellError) -> Value {
        guard let bytes else { throw .null }
        let value: Value?
        switch (type, bytes.count) {
        case (.int8, 8): value = Value(exactly: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))
        case (.int4, 4): value = Value(exactly: Int32(bigEndian: bytes.loadUnaligned(as: Int32.self)))
        case (.int2, 2): value = Value(exactly: Int16(bigEndian: bytes.loadUnaligned(as: Int16.self)))
        case (.objectID, 4): value = Value(exactly: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        default: throw .type(type)
        }
        guard let value else { throw .malformed("a number out of range") }
        return value
    }
}

/// Why a cell could not be read as the type that was asked for.
package enum CellError: Error, Hashable {
    case null
    case type(PostgresType)
    case malformed(String)
}

/// Reads a cell from front to back.
struct CellReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0

    init(_ cell: PostgresCell) throws(CellError) {
        guard let bytes = cell.bytes else { throw .null }
        self.bytes = bytes
    }

    var remaining: Int { bytes.count - offset }

    mutating func read<Value: FixedWidthInteger>(_: Value.Type) throws(CellError) -> Value {
        let size = MemoryLayout<Value>.size
        guard remaining >= size else { throw .malformed("a value cut short") }
        defer { offset += size }
        return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    mutating func read(bytes count: Int) throws(CellError) -> UnsafeRawBufferPointer {
        guard remaining >= count else { throw .malformed("a value cut short") }
        defer { offset += count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
    }
}

extension Bool: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        self = try cell.require(.bool).first == 1
    }
}

extension Int16: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        guard cell.bytes == nil || cell.type == .int2 else { throw .type(cell.type) }
        self = try cell.integer()
    }
}

extension Int32: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        guard cell.bytes == nil || cell.type == .int2 || cell.type == .int4 else { throw .type(cell.type) }
        self = try cell.integer()
    }
}

extension Int64: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) { self = try cell.integer() }
}

extension Int: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) { self = try cell.integer() }
}

extension Double: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        let bytes = try cell.require(.float8, .float4)
        switch bytes.count {
        case 8: self = Double(bitPattern: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)))
        case 4: self = Double(Float(bitPattern: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self))))
        default: throw .malformed("a number of \(bytes.count) bytes")
        }
    }
}

extension String: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        guard let bytes = cell.bytes else { throw .null }
        switch cell.type {
        case .text, .varchar, .bpchar, .name, .char, .json, .unknown: break
        // An enumeration or citext is sent as its text; what isn't text has a zero byte soon enough, or isn't UTF-8.
        default: guard cell.type.isUserDefined, !bytes.contains(0) else { throw .type(cell.type) }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("text that isn't UTF-8") }
        self = text
    }
}

extension UUID: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        let bytes = try cell.require(.uuid)
        guard bytes.count == 16 else { throw .malformed("a UUID of \(bytes.count) bytes") }
        self.init(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

extension Identifier: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) { self.init(try UUID(postgres: cell)) }
}

extension Timestamp: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        let bytes = try cell.require(.timestamptz)
        guard bytes.count == 8 else { throw .malformed("a time of \(bytes.count) bytes") }
        let microseconds = Int64(bigEndian: bytes.loadUnaligned(as: Int64.self))
        guard microseconds != .max, microseconds != .min else { throw .malformed("an infinite time") }
        let (sinceEpoch, overflow) = microseconds.addingReportingOverflow(Timestamp.postgresEpoch)
        guard !overflow else { throw .malformed("a time out of range") }
        self.init(microsecondsSinceEpoch: sinceEpoch)
    }
}

extension Decimal: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        guard cell.bytes == nil || cell.type == .numeric else { throw .type(cell.type) }
        self = try NumericDigits(cell).decimal()
    }
}

extension JSONText: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        var bytes = try cell.require(.jsonb, .json)
        if cell.type == .jsonb {
            guard bytes.first == Self.jsonbVersion else { throw .malformed("a jsonb of an unknown version") }
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .malformed("text that isn't UTF-8") }
        self.init(text)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        self = cell.bytes == nil ? nil : try Wrapped(postgres: cell)
    }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    package init(postgres cell: PostgresCell) throws(CellError) {
        guard cell.bytes != nil else { throw .null }
        self = try Element.decode(array: cell)
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    package init(postgres cell: PostgresCell) throws(CellError) {
        let raw = try RawValue(postgres: cell)
        guard let value = Self(rawValue: raw) else { throw .malformed("a value that \(Self.self) doesn't have") }
        self = value
    }
}
