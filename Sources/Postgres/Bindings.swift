/// The parameters of a statement, encoded one behind another in a single buffer.
package struct Bindings: Sendable {
    /// For each value: its type (4 bytes), its length or -1 for NULL (4), where its placeholder stands in the text (4),
    /// all in the machine's order, and then the value in PostgreSQL's binary format.
    private var storage: [UInt8] = []
    package private(set) var count = 0

    static let maximumCount = 65_535
    private static let headerSize = 12

    struct Binding {
        let type: PostgresType
        /// Nothing for NULL.
        let value: UnsafeRawBufferPointer?
        let textOffset: Int
    }

    mutating func append<Value: PostgresEncodable>(_ value: Value, at textOffset: Int) {
        let header = storage.count
        appendHeader(type: Value.postgresType, textOffset: textOffset)
        count += 1
        guard !value.isNull else { return }
        var writer = ParameterWriter(bytes: storage)
        storage = []
        value.encode(into: &writer)
        storage = writer.bytes
        setLength(storage.count - header - Self.headerSize, at: header)
    }

    mutating func append(_ binding: Binding, at textOffset: Int) {
        let header = storage.count
        appendHeader(type: binding.type, textOffset: textOffset)
        count += 1
        guard let value = binding.value else { return }
        storage.append(contentsOf: value)
        setLength(value.count, at: header)
    }

    mutating func reserveCapacity(_ values: Int) {
        storage.reserveCapacity(values * (Self.headerSize + 20))
    }

    /// Each value is lent for one call of `body`.
    func visit(_ body: (Binding) -> Void) {
        withValues { _, binding in
            body(binding)
        } then: {
        }
    }

    /// Each value is lent until `body` has returned.
    func withValues<Result>(_ visit: (Int, Binding) -> Void, then body: () -> Result) -> Result {
        storage.withUnsafeBytes { bytes in
            var offset = 0
            for index in 0..<count {
                let type = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                let length = bytes.loadUnaligned(fromByteOffset: offset + 4, as: Int32.self)
                let textOffset = bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self)
                offset += Self.headerSize
                let value = length < 0 ? nil : UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)])
                offset += max(0, Int(length))
                visit(index, Binding(type: PostgresType(oid: type), value: value, textOffset: Int(textOffset)))
            }
            return body()
        }
    }

    /// Whether the parameters are of these types, in this order.
    func match(_ types: [PostgresType]) -> Bool {
        guard count == types.count else { return false }
        var index = 0
        var matches = true
        visit { binding in
            matches = matches && binding.type == types[index]
            index += 1
        }
        return matches
    }

    var types: [PostgresType] {
        var types: [PostgresType] = []
        types.reserveCapacity(count)
        visit { types.append($0.type) }
        return types
    }

    private mutating func appendHeader(type: PostgresType, textOffset: Int) {
        withUnsafeBytes(of: (type.oid, Int32(-1), UInt32(textOffset))) { storage.append(contentsOf: $0) }
    }

    private mutating func setLength(_ length: Int, at header: Int) {
        storage.withUnsafeMutableBytes { $0.storeBytes(of: Int32(length), toByteOffset: header + 4, as: Int32.self) }
    }
}

/// Takes a parameter in PostgreSQL's binary format.
package struct ParameterWriter {
    fileprivate(set) var bytes: [UInt8]

    package mutating func write(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func write(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    package mutating func write(contentsOf more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    /// Writes the length in front of what `body` writes.
    mutating func writePrefixed(_ body: (inout ParameterWriter) -> Void) {
        let start = bytes.count
        write(Int32(0))
        body(&self)
        let length = Int32(bytes.count - start - 4).bigEndian
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: length, toByteOffset: start, as: Int32.self) }
    }
}
