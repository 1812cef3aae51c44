import Crypto
package import Foundation
package import Kernel

/// A canary's API key: the same in every process that knows the installation's secret, so that none need be stored.
package struct CanaryKey: Sendable {
    package let tenantID: TenantID
    package let secret: [UInt8]

    package init(of tenantID: TenantID, secret installation: [UInt8]) {
        self.tenantID = tenantID
        let key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: installation), salt: Data(tenantID.description.utf8),
            info: Data("atrium canary key v1".utf8), outputByteCount: 32)
        secret = key.withUnsafeBytes { Array($0) }
    }

    /// A canary has one key, which goes by the canary's own UUID.
    package var id: UUID { tenantID.uuid }

    /// SHA-256, as is kept of every key's secret.
    package var digest: [UInt8] { Array(SHA256.hash(data: secret)) }

    /// In the form of every API key.
    package var text: String { "atk_\(tenantID.hexDigits)_\(tenantID.hexDigits)_\(secret.hex)" }
}
