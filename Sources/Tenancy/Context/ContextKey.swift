import Crypto
import Kernel

/// What tenant contexts are signed with: derived from the installation's secret, and known to its databases as well.
package struct ContextKey: Sendable {
    private let key: SymmetricKey

    /// - Parameter secret: the same in every process, and where `atrium migrate` runs.
    package init(secret: [UInt8]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret), info: Array("atrium tenant context v1".utf8),
            outputByteCount: 32)
    }

    /// HMAC-SHA256 (RFC 2104).
    func code(for message: String) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(message.utf8), using: key))
    }

    /// What `platform.context_keys` holds: the key as HMAC's two rounds use it, so that SQL needs `sha256` alone.
    package var stored: (id: String, inner: [UInt8], outer: [UInt8]) {
        let bytes = key.withUnsafeBytes { Array($0) } + Array(repeating: 0, count: 32)
        let id = SHA256.hash(data: Array("id".utf8) + bytes).prefix(8)
        return (
            id.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined(), bytes.map { $0 ^ 0x36 },
            bytes.map { $0 ^ 0x5C }
        )
    }
}
