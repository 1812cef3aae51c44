import Foundation
package import Kernel

/// The text of a key, `atk_<tenant>_<key>_<secret>`, all in lower-case hexadecimal.
///
/// The tenant stands in it so that looking a key up needs no search across tenants.
package struct APIKeyText: Hashable, Sendable {
    package static let prefix = "atk_"
    package static let secretLength = 32
    /// Prefix, two identifiers, the secret, and an underscore between each two.
    package static let length = 4 + 32 + 1 + 32 + 1 + 2 * secretLength

    package let tenantID: TenantID
    package let keyID: APIKeyID
    package let secret: [UInt8]

    package init(tenantID: TenantID, keyID: APIKeyID, secret: [UInt8]) {
        self.tenantID = tenantID
        self.keyID = keyID
        self.secret = secret
    }

    /// Reads the one form that `text` writes, and no other.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count == Self.length, bytes.starts(with: Self.prefix.utf8), bytes[36] == UInt8(ascii: "_"),
            bytes[69] == UInt8(ascii: "_"), let tenant = uuid(fromHex: bytes[4..<36]),
            let key = uuid(fromHex: bytes[37..<69]), let secret = unhex(bytes[70...])
        else { return nil }
        self.init(tenantID: TenantID(tenant), keyID: APIKeyID(key), secret: secret)
    }

    /// What the key's owner is shown, once.
    package var text: String {
        Self.prefix + hex(tenantID.uuid.octets) + "_" + hex(keyID.uuid.octets) + "_" + hex(secret)
    }
}

extension APIKeyText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "the text of key \(keyID)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where the secrets of keys come from, and what is kept of them.
package protocol SecretSource: Sendable {
    /// Random bytes that nobody can guess.
    func next(count: Int) -> [UInt8]
    /// Bytes that nobody can guess who knows the salt but not the installation's secret; the same for the same salt.
    func derive(from salt: [UInt8], count: Int) -> [UInt8]
    /// SHA-256.
    func digest(_ secret: [UInt8]) -> [UInt8]
}

extension UUID {
    fileprivate var octets: [UInt8] { withUnsafeBytes(of: uuid) { Array($0) } }
}

private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 0x0F)]] }, as: UTF8.self)
}

private func unhex(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 2)
    var at = text.startIndex
    while at + 1 < text.endIndex {
        guard let high = nibble(text[at]), let low = nibble(text[at + 1]) else { return nil }
        bytes.append(high << 4 | low)
        at += 2
    }
    return bytes
}

private func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
}

private func uuid(fromHex text: ArraySlice<UInt8>) -> UUID? {
    guard let bytes = unhex(text), bytes.count == 16 else { return nil }
    return bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
}
