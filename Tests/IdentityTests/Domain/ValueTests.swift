import Identity
import Testing

@Suite("Values that Identity takes")
struct ValueTests {
    @Test(
        "a slug is a lower-case label of 3 to 40 characters",
        arguments: [
            "abc", "acme", "a1-2", "acme-corp", String(repeating: "a", count: 40),
        ])
    func slugs(_ text: String) throws {
        #expect(try Slug(text).text == text)
    }

    @Test(
        "what is no such label is refused",
        arguments: [
            "", "a", "ab", String(repeating: "a", count: 41), "Acme", "1acme", "-acme", "acme-", "ac_me", "ac me",
            "acmé",
            "acme\0", "acme.eu", "xn--acme", "аcme",
        ])
    func noSlugs(_ text: String) {
        #expect(throws: IdentityError.self) { try Slug(text) }
    }

    @Test("words that Atrium keeps are no slugs", arguments: ["admin", "api", "www", "operator", "system", "atrium"])
    func reservedSlugs(_ text: String) {
        #expect(throws: IdentityError.invalid(.slug, reason: "not be a reserved word or look like one; '\(text)' does"))
        {
            try Slug(text)
        }
    }

    @Test("an address is kept in lower case")
    func emailIsNormalised() throws {
        #expect(try EmailAddress("Ada.Lovelace@Example.COM").text == "ada.lovelace@example.com")
    }

    @Test(
        "what no mail could reach is refused",
        arguments: [
            "", "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "a da@example.com",
            "ada@exam ple.com",
            ".ada@example.com", "ada.@example.com", "a..b@example.com", "ada@-example.com", "ada@example..com",
            "ada@example.com\0", "ada@example.com\n", "ada@[127.0.0.1]", "ädä@example.com",
            String(repeating: "a", count: 65) + "@example.com",
            "ada@" + String(repeating: "a", count: 250) + ".com",
        ])
    func noEmails(_ text: String) {
        #expect(throws: IdentityError.self) { try EmailAddress(text) }
    }

    @Test(
        "a password is 8 to 256 characters of any script, taken as they are",
        arguments: [
            "  spaces  ", "пароль-длинный", "correct horse battery staple", String(repeating: "é", count: 256),
            "nul\0inside", "🔑🔑🔑🔑🔑🔑🔑🔑",
        ])
    func passwords(_ text: String) throws {
        #expect(try Array(Password(text).text.utf8) == Array(text.utf8))
    }

    @Test(
        "short, overlong and common passwords are refused",
        arguments: [
            "", "1234567", "🔑🔑🔑🔑🔑🔑🔑", String(repeating: "x", count: 257), "password", "PassWord123", "12345678",
        ])
    func noPasswords(_ text: String) {
        #expect(throws: IdentityError.self) { try Password(text) }
    }

    @Test("neither a password nor its hash nor a key shows when printed")
    func secretsDoNotPrint() throws {
        let password = try Password("correct horse battery")
        let hash = PasswordHash("$argon2id$secret")
        var dumped = ""
        dump((password, hash), to: &dumped)
        for text in ["\(password)", String(reflecting: password), "\(hash)", String(reflecting: hash), dumped] {
            #expect(!text.contains("horse") && !text.contains("argon2id"))
        }
    }

    @Test(
        "a name has no control characters, overrides or outer spaces",
        arguments: [
            "", " Acme", "Acme ", "Ac\nme", "Ac\0me", "Ac\u{202E}me", "Ac\u{2028}me",
            String(repeating: "a", count: 201),
        ])
    func noNames(_ text: String) {
        #expect(throws: IdentityError.self) { try DisplayText(text) }
    }

    @Test("a SKU or region is a code; which there are is the control plane's data")
    func catalogue() throws {
        #expect(try SKU("starter-2").code == "starter-2")
        #expect(try Region("us-east").code == "us-east")
        for text in ["", "2nd", "Gold", "a b", "über", String(repeating: "a", count: 41)] {
            #expect(throws: IdentityError.self) { try SKU(text) }
            #expect(throws: IdentityError.self) { try Region(text) }
        }
    }

    @Test(
        "slugs that can be taken for one another have one likeness",
        arguments: [
            ("acme", "ac-me"), ("google", "g00gle"), ("paypal", "paypa1"), ("modern", "rnodern"), ("wide", "vvide"),
            ("alice", "al1ce"), ("dose", "d05e"),
        ])
    func likeness(_ left: String, _ right: String) throws {
        #expect(try Slug(left).likeness == Slug(right).likeness)
    }

    @Test("slugs that merely resemble one another have not", arguments: [("acme", "acne"), ("tenant-a", "tenant-b")])
    func unlike(_ left: String, _ right: String) throws {
        #expect(try Slug(left).likeness != Slug(right).likeness)
    }

    @Test(
        "a slug that looks like a reserved word is refused",
        arguments: ["adm1n", "atr-ium", "bi11ing", "w-w-w", "canary-one"])
    func reservedLikeness(_ text: String) throws {
        #expect(throws: IdentityError.self) { try Slug(text) }
    }
}
