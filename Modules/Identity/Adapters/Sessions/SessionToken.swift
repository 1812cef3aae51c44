import Crypto
import Identity
import Kernel

/// Who makes session tokens, and for whom: both are checked in every token.
struct TokenScope: Hashable, Sendable {
    let issuer: String
    let audience: String
}

/// A session token as it came in: well formed, of our one algorithm and type, and not yet trusted.
///
/// A JSON Web Token (RFC 7519) with an EdDSA signature (RFC 8037). There is nothing to choose: a header that names
/// anything but the algorithm, the type and a key of ours makes the token unreadable (RFC 8725, sections 3.1 to 3.3).
struct SessionToken {
    static let type = "atrium-session+jwt"
    private static let longest = 2048
    /// How far the clocks of two processes may lie apart.
    private static let leeway = Duration.seconds(30)

    let keyID: SigningKeyID
    private let signedPart: ArraySlice<UInt8>
    private let signature: [UInt8]
    private let claims: JSON

    init?(_ text: String) {
        guard text.utf8.count <= Self.longest else { return nil }
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Self.json(parts[0]), case .object(let members) = header,
            members.members.count == 3, header["alg"] == "EdDSA", header["typ"] == .string(Self.type),
            let name = header["kid"]?.string, let keyID = SigningKeyID(name), keyID.description == name,
            let signature = Base64URL.decode(parts[2]), signature.count == 64, let claims = Self.json(parts[1])
        else { return nil }
        self.keyID = keyID
        self.signature = signature
        self.claims = claims
        signedPart = bytes[..<parts[1].endIndex]
    }

    /// The grant, if the key did sign the token, for us, and the token's time is now.
    func grant(
        signedBy key: Curve25519.Signing.PublicKey, in scope: TokenScope, at now: Timestamp
    ) -> SessionGrant? {
        guard key.isValidSignature(signature, for: signedPart), claims["iss"] == .string(scope.issuer),
            claims["aud"] == .string(scope.audience), let issuedAt = time("iat"), let notBefore = time("nbf"),
            let expiresAt = time("exp"), max(issuedAt, notBefore) <= now.advanced(by: Self.leeway), now < expiresAt,
            let userID = claims["sub"]?.string.flatMap({ UserID($0) }),
            let tenantID = claims["tid"]?.string.flatMap({ TenantID($0) }),
            let role = claims["role"]?.string.flatMap(UserRole.init),
            let id = claims["jti"]?.string.flatMap({ SessionID($0) })
        else { return nil }
        return SessionGrant(
            id: id, tenantID: tenantID, userID: userID, role: role, issuedAt: issuedAt, expiresAt: expiresAt)
    }

    static func sign(
        _ grant: SessionGrant, in scope: TokenScope, keyID: SigningKeyID, with key: Curve25519.Signing.PrivateKey
    ) throws -> String {
        let header: JSON = ["alg": "EdDSA", "typ": .string(type), "kid": .string(keyID.description)]
        let claims: JSON = [
            "iss": .string(scope.issuer), "aud": .string(scope.audience), "sub": .string(grant.userID.description),
            "tid": .string(grant.tenantID.description), "role": .string(grant.role.rawValue),
            "iat": .integer(grant.issuedAt.seconds), "nbf": .integer(grant.issuedAt.seconds),
            "exp": .integer(grant.expiresAt.seconds), "jti": .string(grant.id.description),
        ]
        let signed = Base64URL.encode(header.description.utf8) + "." + Base64URL.encode(claims.description.utf8)
        return signed + "." + Base64URL.encode(Array(try key.signature(for: Array(signed.utf8))))
    }

    private func time(_ claim: String) -> Timestamp? {
        guard let seconds = claims[claim]?.int64, (0...253_402_300_799).contains(seconds) else { return nil }
        return Timestamp(microsecondsSinceEpoch: seconds * 1_000_000)
    }

    private static func json(_ part: ArraySlice<UInt8>) -> JSON? {
        Base64URL.decode(part).flatMap { try? JSON.parse($0) }
    }
}

enum SigningKeyKind {}
typealias SigningKeyID = Identifier<SigningKeyKind>

extension Timestamp {
    fileprivate var seconds: Int64 { microsecondsSinceEpoch / 1_000_000 }
}
