/// A tenant's name in addresses: a label of RFC 1035 in lower case, 3 to 40 characters, not a word Atrium keeps.
package struct Slug: Hashable, Sendable {
    package static let lengths = 3...40
    package static let pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$"

    package let text: String

    package init(_ text: String) throws(IdentityError) {
        guard Self.lengths.contains(text.utf8.count) else {
            throw .invalid(.slug, reason: "be \(Self.lengths.lowerBound) to \(Self.lengths.upperBound) characters long")
        }
        guard let first = text.utf8.first, let last = text.utf8.last, isLetter(first), isLetter(last) || isDigit(last),
            text.utf8.allSatisfy({ isLetter($0) || isDigit($0) || $0 == UInt8(ascii: "-") })
        else {
            throw .invalid(
                .slug, reason: "begin with a letter, end with a letter or digit, and hold only a-z, 0-9 and hyphens")
        }
        // RFC 5891, section 4.2.3.1: hyphens there mark encoded names, which can be made to look like others.
        guard !text.utf8.dropFirst(2).starts(with: "--".utf8) else {
            throw .invalid(.slug, reason: "not have hyphens as its third and fourth characters")
        }
        // Atrium's own tenants, which watch over the fences, are called like that.
        guard !text.hasPrefix("canary-") else {
            throw .invalid(.slug, reason: "not begin with canary-, which is kept for Atrium's own tenants")
        }
        self.text = text
        guard !Self.reserved.contains(text), !Self.reservedLikenesses.contains(likeness) else {
            throw .invalid(.slug, reason: "not be a reserved word or look like one; '\(text)' does")
        }
    }

    /// Brings back a slug that was accepted once, whatever has been reserved since.
    package init(restoring text: String) {
        self.text = text
    }

    /// What is left of it when characters and pairs that look alike are taken for one: two slugs of one likeness are too
    /// easy to confuse (compare the skeletons of Unicode Technical Standard 39).
    package var likeness: String {
        var text = text.replacing("-", with: "").replacing("rn", with: "m").replacing("vv", with: "w")
            .replacing("cl", with: "d")
        for (from, to) in [("0", "o"), ("1", "l"), ("i", "l"), ("5", "s"), ("8", "b"), ("2", "z")] {
            text = text.replacing(from, with: to)
        }
        return text
    }

    private static let reserved: Set<String> = [
        "about", "abuse", "account", "accounts", "admin", "administrator", "api", "app", "assets", "atrium", "auth",
        "billing", "blog", "cdn", "console", "control", "dashboard", "dev", "docs", "download", "ftp",
        "health", "help", "host", "hostmaster", "identity", "imap", "internal", "kafka", "legal", "live", "localhost",
        "login", "logout", "mail", "me", "metering", "metrics", "noreply", "null", "oauth", "openapi", "operator",
        "orders", "platform", "pop", "postgres", "postmaster", "private", "public", "ready", "root", "sandbox",
        "security", "self", "session", "sessions", "signin", "signup", "smtp", "sso", "staging", "static", "status",
        "support", "system", "tenant", "tenants", "test", "undefined", "user", "users", "webmaster", "well-known",
        "www",
    ]
}

extension Slug {
    private static let reservedLikenesses = Set(reserved.map { Slug(restoring: $0).likeness })
}

extension Slug: CustomStringConvertible {
    package var description: String { text }
}

private func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
}

private func isDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
