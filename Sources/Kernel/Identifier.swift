public import Foundation

/// A UUID that can't be mistaken for the identifier of another kind of thing.
public struct Identifier<Kind>: Hashable, Sendable {
    public let uuid: UUID

    @inlinable
    public init(_ uuid: UUID) {
        self.uuid = uuid
    }

    /// Accepts the canonical 36-character form (RFC 9562), in either case.
    public init?(_ text: some StringProtocol) {
        guard let uuid = UUID(canonical: String(text)) else { return nil }
        self.uuid = uuid
    }
}

extension Identifier: CustomStringConvertible {
    /// The canonical lower-case form (RFC 9562).
    public var description: String { uuid.canonical }
}

extension Identifier: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a UUID")
        }
        self = value
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension Identifier: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        withUnsafeBytes(of: left.uuid.uuid) { l in
            withUnsafeBytes(of: right.uuid.uuid) { r in l.lexicographicallyPrecedes(r) }
        }
    }
}

public enum TenantKind {}
public enum UserKind {}
public enum EventKind {}
/// Ties together everything that one request set off, across contexts and processes.
public enum CorrelationKind {}

public typealias TenantID = Identifier<TenantKind>
public typealias UserID = Identifier<UserKind>
public typealias EventID = Identifier<EventKind>
public typealias CorrelationID = Identifier<CorrelationKind>

extension UUID {
    /// Reads the 36-character form of RFC 9562 in either case, and nothing else: Foundation takes blanks for digits.
    public init?(canonical text: String) {
        var text = text
        guard let uuid = text.withUTF8(readUUID) else { return nil }
        self = uuid
    }

    /// The lower-case form of RFC 9562.
    public var canonical: String {
        String(unsafeUninitializedCapacity: 36) { out in
            writeCanonical(out)
            return 36
        }
    }

    /// The canonical form's bytes.
    public var ascii: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 36) { out, count in
            writeCanonical(out)
            count = 36
        }
    }

    private func writeCanonical(_ out: UnsafeMutableBufferPointer<UInt8>) {
        withUnsafeBytes(of: uuid) { bytes in
            var at = 0
            for (index, byte) in bytes.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    out[at] = UInt8(ascii: "-")
                    at += 1
                }
                out[at] = hexDigit(byte >> 4)
                out[at + 1] = hexDigit(byte & 0x0F)
                at += 2
            }
        }
    }
}

@inline(__always)
private func hexDigit(_ nibble: UInt8) -> UInt8 {
    nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
}

private func readUUID(_ text: UnsafeBufferPointer<UInt8>) -> UUID? {
    guard text.count == 36 else { return nil }
    var bytes: uuid_t = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    var at = 0
    let isWhole = withUnsafeMutableBytes(of: &bytes) { bytes in
        for index in 0..<16 {
            if index == 4 || index == 6 || index == 8 || index == 10 {
                guard text[at] == UInt8(ascii: "-") else { return false }
                at += 1
            }
            guard let high = hexValue(text[at]), let low = hexValue(text[at + 1]) else { return false }
            bytes[index] = high << 4 | low
            at += 2
        }
        return true
    }
    return isWhole ? UUID(uuid: bytes) : nil
}

@inline(__always)
private func hexValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
}
