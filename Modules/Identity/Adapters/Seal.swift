import Crypto
import Kernel

/// Encrypts what lies in the database and must not be read from a copy of it.
struct Seal: Sendable {
    private let secret: SymmetricKey

    /// - Parameter secret: the same in every process of an installation, at least 32 random bytes.
    init(secret: [UInt8]) {
        self.secret = SymmetricKey(data: secret)
    }

    /// What a sealed value is for: one purpose's values can't be put in the place of another's.
    enum Purpose: String {
        case signingKey = "atrium identity signing key"
        case fingerprint = "atrium identity operator receipt"
    }

    /// - Parameter place: the key of the row, so that a value can't be moved to another row.
    func close(_ value: [UInt8], for purpose: Purpose, in place: String) throws -> [UInt8] {
        Array(try ChaChaPoly.seal(value, using: key(purpose), authenticating: Array(place.utf8)).combined)
    }

    /// - Returns: `nil` for what was sealed with another secret, for another purpose or place, or was changed.
    func open(_ sealed: [UInt8], for purpose: Purpose, in place: String) -> [UInt8]? {
        guard let box = try? ChaChaPoly.SealedBox(combined: sealed),
            let value = try? ChaChaPoly.open(box, using: key(purpose), authenticating: Array(place.utf8))
        else { return nil }
        return Array(value)
    }

    private func key(_ purpose: Purpose) -> SymmetricKey {
        HKDF<SHA256>.deriveKey(inputKeyMaterial: secret, info: Array(purpose.rawValue.utf8), outputByteCount: 32)
    }
}
