import Testing

@testable import IdentityAdapters

@Suite("A seal")
struct SealTests {
    private let seal = Seal(secret: Array(repeating: 1, count: 32))

    @Test("gives back what was sealed, and each time looks different")
    func roundTrip() throws {
        let (one, other) = (
            try seal.close([1, 2, 3], for: .signingKey, in: "k"), try seal.close([1, 2, 3], for: .signingKey, in: "k")
        )
        #expect(one != other)
        #expect(seal.open(one, for: .signingKey, in: "k") == [1, 2, 3])
    }

    @Test("does not open with another secret, for another purpose, in another place, or once it was changed")
    func refusals() throws {
        let sealed = try seal.close([1, 2, 3], for: .signingKey, in: "k")
        #expect(Seal(secret: Array(repeating: 2, count: 32)).open(sealed, for: .signingKey, in: "k") == nil)
        #expect(seal.open(sealed, for: .fingerprint, in: "k") == nil)
        #expect(seal.open(sealed, for: .signingKey, in: "l") == nil)
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(seal.open(changed, for: .signingKey, in: "k") == nil)
        }
        #expect(seal.open([], for: .signingKey, in: "k") == nil)
    }
}

@Suite("Base64 for addresses")
struct Base64URLTests {
    @Test(
        "follows the examples of RFC 4648, section 10",
        arguments: [
            ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ])
    func examples(text: String, encoded: String) {
        #expect(Base64URL.encode(text.utf8) == encoded)
        #expect(Base64URL.decode(encoded.utf8) == Array(text.utf8))
    }

    @Test(
        "takes no padding, no other alphabet, no spare bits", arguments: ["Zg==", "Z", "Zh", "+/+/", "Zm9 v", "Zm9v\n"])
    func refusals(_ text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }

    @Test("uses - and _")
    func alphabet() {
        #expect(Base64URL.encode([0xFB, 0xFF, 0xBF]) == "-_-_")
        #expect(Base64URL.decode("-_-_".utf8) == [0xFB, 0xFF, 0xBF])
    }
}
