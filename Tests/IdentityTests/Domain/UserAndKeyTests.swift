import Foundation
import Identity
import Kernel
import Testing

@Suite("A user and a key")
struct UserAndKeyTests {
    @Test("a disabled user stays disabled, and is disabled once")
    func disabling() throws {
        var user = try sampleUser()
        user.disable(at: noon)
        user.disable(at: noon)
        #expect(user.status == .disabled)
        #expect(user.recordedEvents == [.added, .disabled])
        #expect(user.version == 2)
    }

    @Test("a new hash replaces the old one as a change of its own")
    func rehashing() throws {
        var user = try sampleUser()
        user.rehash(as: PasswordHash("new"), at: noon)
        #expect(user.passwordHash == PasswordHash("new"))
        #expect(user.recordedEvents == [.added, .rehashed])
    }

    @Test("a key ends at its expiry")
    func expiry() throws {
        let expiry = noon.advanced(by: .seconds(60))
        let key = try sampleKey(expiresAt: expiry)
        #expect(key.isUsable(at: Timestamp(microsecondsSinceEpoch: expiry.microsecondsSinceEpoch - 1)))
        #expect(!key.isUsable(at: expiry))
    }

    @Test("a key can't have expired when it is made")
    func expiryInThePast() {
        #expect(throws: IdentityError.invalid(.expiresAt, reason: "lie in the future")) {
            try sampleKey(expiresAt: noon)
        }
    }

    @Test("a revoked key stays revoked as of the first time")
    func revocation() throws {
        var key = try sampleKey()
        key.revoke(at: noon)
        key.revoke(at: noon.advanced(by: .seconds(1)))
        #expect(!key.isUsable(at: noon))
        #expect(key.revokedAt == noon)
        #expect(key.version == 2)
    }

    @Test("the text of a key reads back as what it was made of")
    func keyText() throws {
        let text = APIKeyText(
            tenantID: TenantID(UUID()), keyID: APIKeyID(UUID()), secret: (0..<32).map { UInt8($0) * 8 + 7 })
        #expect(text.text.utf8.count == APIKeyText.length)
        #expect(text.text.hasPrefix("atk_"))
        #expect(APIKeyText(text.text) == text)
        #expect(!"\(text)".contains(text.text.suffix(64)))
    }

    @Test("what is no key's text is not read as one")
    func malformedKeyText() {
        let good = APIKeyText(
            tenantID: TenantID(UUID()), keyID: APIKeyID(UUID()), secret: Array(repeating: 0xAB, count: 32)
        ).text
        let broken = [
            "", "atk_", String(good.dropLast()), good + "0", good.uppercased(), good.replacing("atk_", with: "btk_"),
            good.replacing("ab", with: "aB"), String(good.dropLast(2)) + "zz", " " + good.dropFirst(),
            String(good.dropLast(2)) + "é",
        ]
        for text in broken { #expect(APIKeyText(text) == nil, "\(text)") }
    }

    private func sampleUser() throws -> User {
        try User(
            id: UserID(UUID()), email: EmailAddress("ada@example.com"), name: DisplayText("Ada"),
            passwordHash: PasswordHash("old"), role: .administrator, at: noon)
    }
}
