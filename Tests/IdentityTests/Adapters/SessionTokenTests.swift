import Crypto
import Foundation
import Identity
import Kernel
import Testing

@testable import IdentityAdapters

@Suite("A session token")
struct SessionTokenTests {
    private let key = Curve25519.Signing.PrivateKey()
    private let keyID = SigningKeyID(UUID())
    private let scope = TokenScope(issuer: "https://atrium.test", audience: "atrium")

    @Test("reads back as what was granted")
    func roundTrip() throws {
        let grant = sampleGrant()
        let text = try SessionToken.sign(grant, in: scope, keyID: keyID, with: key)
        #expect(verify(text) == grant)
    }

    @Test("is what RFC 7519 and RFC 8037 call a JSON Web Token")
    func form() throws {
        let text = try SessionToken.sign(sampleGrant(), in: scope, keyID: keyID, with: key)
        let parts = text.split(separator: ".")
        #expect(
            try decoded(parts[0]) == [
                "alg": "EdDSA", "typ": "atrium-session+jwt", "kid": .string(keyID.description),
            ])
        let claims = try decoded(parts[1])
        #expect(claims["iss"] == "https://atrium.test")
        #expect(claims["aud"] == "atrium")
        #expect(claims["exp"]?.int64 == 1_772_453_700)
        let signature = try #require(Base64URL.decode(parts[2].utf8))
        #expect(key.publicKey.isValidSignature(signature, for: Array("\(parts[0]).\(parts[1])".utf8)))
    }

    @Test(
        "begins and ends to the second",
        arguments: [
            (-31, false), (-30, true), (0, true), (899, true), (900, false), (100_000, false),
        ])
    func times(seconds: Int, isValid: Bool) throws {
        let text = try SessionToken.sign(sampleGrant(), in: scope, keyID: keyID, with: key)
        #expect((verify(text, at: noon.advanced(by: .seconds(seconds))) != nil) == isValid)
    }

    @Test(
        "of another algorithm, type or header is not even read",
        arguments: [
            #"{"alg":"none","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"NoNe","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"HS256","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"RS256","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"ES256","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"eddsa","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"EdDSA","typ":"JWT","kid":"KID"}"#,
            #"{"alg":"EdDSA","kid":"KID","jwk":{"kty":"OKP"}}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"KID","jwk":{"kty":"OKP"}}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"KID","jku":"https://evil.example/jwks"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"KID","x5u":"https://evil.example/cert"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"KID","crit":["b64"],"b64":false}"#,
            #"{"alg":"EdDSA","alg":"none","typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":["EdDSA"],"typ":"atrium-session+jwt","kid":"KID"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"../../etc/passwd"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"' OR 1=1 --"}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":7}"#,
            #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":""}"#,
            #"["alg","EdDSA"]"#, "not json", "",
        ])
    func foreignHeaders(_ header: String) throws {
        let text = signed(header: header.replacing("KID", with: keyID.description), claims: goodClaims())
        #expect(SessionToken(text) == nil)
    }

    @Test("whose header differs in nothing is read, so that the refusals above are not for want of a good header")
    func goodHeader() throws {
        #expect(verify(signed(header: goodHeaderText, claims: goodClaims())) != nil)
    }

    @Test(
        "that lacks a claim, or has a wrong one, is no token of ours",
        arguments: [
            ("iss", nil), ("iss", "https://evil.example"), ("aud", nil), ("aud", "other"),
            ("aud", ["atrium", "other"]),
            ("aud", ["atrium"]), ("sub", nil), ("sub", "ada"), ("tid", nil), ("tid", "acme"), ("tid", 7), ("role", nil),
            ("role", "owner"), ("iat", nil), ("nbf", nil), ("exp", nil), ("exp", "1772453700"), ("exp", -1),
            ("exp", .number("1e300")), ("exp", .number("1772453700.5")), ("exp", .integer(Int64.max)), ("jti", nil),
        ] as [(String, JSON?)])
    func badClaims(name: String, value: JSON?) throws {
        var claims = goodClaims()
        if case .object(var object) = claims {
            object[name] = value
            claims = .object(object)
        }
        let text = signed(header: goodHeaderText, claims: claims)
        #expect(SessionToken(text) != nil)
        #expect(verify(text) == nil)
    }

    @Test("signed by another key, changed, or not signed at all, is refused")
    func forgeries() throws {
        let text = try SessionToken.sign(sampleGrant(), in: scope, keyID: keyID, with: key)
        let parts = text.split(separator: ".").map(String.init)
        let foreign = try SessionToken.sign(
            sampleGrant(), in: scope, keyID: keyID, with: Curve25519.Signing.PrivateKey())
        #expect(verify(foreign) == nil)

        var claims = goodClaims()
        if case .object(var object) = claims {
            object["tid"] = .string(UUID().uuidString.lowercased())
            claims = .object(object)
        }
        let other = Base64URL.encode(claims.description.utf8)
        for forged in [
            "\(parts[0]).\(other).\(parts[2])", "\(parts[0]).\(parts[1]).", "\(parts[0]).\(parts[1])",
            "\(parts[0]).\(parts[1]).\(String(repeating: "A", count: 86))", "\(text).", ".\(text)", "\(text)=",
            "\(text).\(parts[2])", " \(text)", "\(text)\n", text + "A", "..", "", ".",
            String(repeating: "a", count: 100_000),
            // The public key as the secret of a MAC, for whoever would take the algorithm from the header.
            macWithPublicKey(claims: goodClaims()),
        ] { #expect(verify(forged) == nil, "\(forged.prefix(200))") }
    }

    @Test("has one spelling: the last character's spare bits must be zero")
    func malleability() throws {
        let text = try SessionToken.sign(sampleGrant(), in: scope, keyID: keyID, with: key)
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        let spellings = alphabet.filter { verify(String(text.dropLast()) + String($0)) != nil }
        #expect(spellings.count == 1)
    }

    @Test("that is overlong is refused before it is decoded")
    func hugeKeyID() {
        let header = #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"\#(String(repeating: "k", count: 1 << 20))"}"#
        #expect(SessionToken(signed(header: header, claims: goodClaims())) == nil)
    }

    // MARK: Pieces

    private var goodHeaderText: String { #"{"alg":"EdDSA","typ":"atrium-session+jwt","kid":"\#(keyID)"}"# }

    private func sampleGrant() -> SessionGrant {
        SessionGrant(
            id: SessionID(UUID()), tenantID: TenantID(UUID()), userID: UserID(UUID()), role: .member, issuedAt: noon,
            expiresAt: noon.advanced(by: SessionGrant.lifetime))
    }

    private func goodClaims() -> JSON {
        [
            "iss": "https://atrium.test", "aud": "atrium", "sub": .string(UUID().uuidString.lowercased()),
            "tid": .string(UUID().uuidString.lowercased()), "role": "administrator", "iat": 1_772_452_800,
            "nbf": 1_772_452_800, "exp": 1_772_453_700, "jti": .string(UUID().uuidString.lowercased()),
        ]
    }

    private func verify(_ text: String, at now: Timestamp = noon) -> SessionGrant? {
        SessionToken(text)?.grant(signedBy: key.publicKey, in: scope, at: now)
    }

    private func signed(header: String, claims: JSON) -> String {
        let input = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.description.utf8)
        guard let signature = try? key.signature(for: Array(input.utf8)) else { return "" }
        return input + "." + Base64URL.encode(Array(signature))
    }

    private func macWithPublicKey(claims: JSON) -> String {
        let header = #"{"alg":"HS512","typ":"atrium-session+jwt","kid":"\#(keyID)"}"#
        let input = Base64URL.encode(header.utf8) + "." + Base64URL.encode(claims.description.utf8)
        let mac = HMAC<SHA512>.authenticationCode(
            for: Array(input.utf8), using: SymmetricKey(data: key.publicKey.rawRepresentation))
        return input + "." + Base64URL.encode(Array(mac))
    }

    private func decoded(_ part: Substring) throws -> JSON {
        try JSON.parse(try #require(Base64URL.decode(part.utf8)))
    }
}
