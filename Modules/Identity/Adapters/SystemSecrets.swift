import Crypto
import Identity

/// Secrets from the system's own random numbers.
struct SystemSecrets: SecretSource {
    /// The installation's secret, where something is derived from it.
    var secret: [UInt8] = []

    func next(count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in generator.next() }
    }

    /// HKDF (RFC 5869).
    func derive(from salt: [UInt8], count: Int) -> [UInt8] {
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret), salt: salt, info: Array("atrium first api key".utf8),
            outputByteCount: count)
        return key.withUnsafeBytes { Array($0) }
    }

    func digest(_ secret: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: secret))
    }
}

/// Takes the same time wherever the two differ.
func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}
