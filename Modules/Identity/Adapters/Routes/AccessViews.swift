import Crypto
import Identity
import Kernel
import Web

/// What a client sends to log in. Nothing is checked here that would tell what exists.
extension OpenSession {
    static let shape = Shape<OpenSession>.object(
        "NewSession", "A login.",
        Field("tenant", .string(0...1000), "The tenant's slug.", example: "acme") { $0.tenant },
        Field("email", .string(0...1000), "The user's address.", example: "ada@acme.example") { $0.email },
        Field(
            "password",
            .text(
                ["type": "string", "format": "password", "writeOnly": true], example: "correct horse battery staple",
                parse: { text throws(TextComplaint) in
                    // Longer ones are nobody's, and hashing them would be work for the asking.
                    guard text.utf8.count <= 4096 else { throw TextComplaint("must have at most 4096 bytes") }
                    return text
                }, format: { _ in "" }),
            "The user's password."
        ) { $0.password }
    ) { OpenSession(tenant: $0, email: $1, password: $2) }
}

extension Session {
    static let shape = Shape<Session>.output(
        "Session", "A session of 15 minutes.",
        Field(
            "accessToken", .string(1...2048), "Send it as `Authorization: Bearer …`.",
            example: "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0cml1bS1zZXNzaW9uK2p3dCIsImtpZCI6Iu…"
        ) { $0.token },
        Field("tokenType", .constant("Bearer"), "How to send it.") { _ in "Bearer" },
        Field("expiresAt", .timestamp, "When it ends.") { $0.grant.expiresAt }
    )
}

/// What an administrator sends to make a key.
struct NewAPIKey: Sendable {
    let name: DisplayText
    let permission: APIKeyPermission
    let expiresAt: Timestamp?

    static let shape = Shape<NewAPIKey>.object(
        "NewApiKey", "What an administrator sends to make a key.",
        Field("name", .line(), "What it is for.", example: "Nightly import") { $0.name },
        Field("permission", .enumeration(APIKeyPermission.self), "`write` reads as well.") { $0.permission },
        Field(
            optional: "expiresAt", .timestamp, "When it ends; never, where it is absent.",
            example: "2027-01-01T00:00:00Z"
        ) {
            $0.expiresAt
        }
    ) { NewAPIKey(name: $0, permission: $1, expiresAt: $2) }
}

/// A key with its text, which is shown once: a repeated answer has it no more.
struct ShownAPIKey: Sendable {
    let key: APIKey
    let text: APIKeyText?

    var withoutText: ShownAPIKey { ShownAPIKey(key: key, text: nil) }

    static let shape = Shape<ShownAPIKey>.output(
        "ShownApiKey", "A new key. Its text is shown once and kept nowhere.",
        Field("id", .identifier(APIKeyID.self), "The key.") { $0.key.id },
        Field("name", .line(), "What it is for.", example: "Nightly import") { $0.key.name },
        Field("permission", .enumeration(APIKeyPermission.self), "What it may do.", example: "write") {
            $0.key.permission
        },
        Field(optional: "expiresAt", .timestamp, "When it ends, if it does.") { $0.key.expiresAt },
        Field(
            optional: "key", .string(APIKeyText.length...APIKeyText.length),
            """
            Send it as `Authorization: Bearer …`. It is null where the answer is repeated for an Idempotency-Key: \
            only a digest of it was kept. If the first answer was lost, revoke the key and make another.
            """,
            example: "atk_0190a5c47e1b7d3a9f523c8e1a6b7d20_0190a5c47e1b7d3a9f523c8e1a6b7d21_5f0c…"
        ) { $0.text?.text }
    )
}

extension APIKey {
    static let shape = Shape<APIKey>.output(
        "ApiKey", "A key, without its text.",
        Field("id", .identifier(APIKeyID.self), "The key.") { $0.id },
        Field("name", .line(), "What it is for.", example: "Nightly import") { $0.name },
        Field("permission", .enumeration(APIKeyPermission.self), "What it may do.") { $0.permission },
        Field("createdBy", .string(1...100), "Who made it.", example: "operator") { $0.createdBy },
        Field("createdAt", .timestamp, "When it was made.") { $0.createdAt },
        Field(optional: "expiresAt", .timestamp, "When it ends, if it does.") { $0.expiresAt },
        Field(optional: "revokedAt", .timestamp, "When it was revoked, if it was.") { $0.revokedAt }
    )
}

/// Who is asking: a user or a key, and the tenant it belongs to.
struct Myself: Sendable {
    let tenant: Tenant
    let user: User?
    let key: APIKey?

    static let shape = Shape<Myself>.output(
        "Me", "The caller, as its credentials tell. Either `user` or `apiKey` is there.",
        Field("tenant", Tenant.shape, "The caller's tenant.") { $0.tenant },
        Field(optional: "user", User.shape, "The user who has logged in.") { $0.user },
        Field(optional: "apiKey", APIKey.shape, "The key that was used.") { $0.key }
    )
}

/// The public halves of the signing keys (RFC 7517, RFC 8037).
struct PublishedKeys: Sendable {
    let keys: [SigningKey]

    static let shape = Shape<PublishedKeys>.output(
        "JsonWebKeySet", "The keys that session tokens can be checked with.",
        Field("keys", .array(of: SigningKey.shape), "One for each signing key.") { $0.keys }
    )
}

extension SigningKey {
    static let shape = Shape<SigningKey>.output(
        "JsonWebKey", "A public key.",
        Field("kty", .constant("OKP")) { _ in "OKP" },
        Field("crv", .constant("Ed25519")) { _ in "Ed25519" },
        Field("use", .constant("sig")) { _ in "sig" },
        Field("alg", .constant("EdDSA")) { _ in "EdDSA" },
        Field("kid", .identifier(SigningKeyID.self), "As in the header of the tokens it signed.") { $0.id },
        Field("x", .string(43...43), "The key itself.", example: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") {
            Base64URL.encode(Array($0.privateKey.publicKey.rawRepresentation))
        }
    )
}
