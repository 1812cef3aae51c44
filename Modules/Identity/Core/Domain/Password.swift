/// A password somebody chose: 8 to 256 characters, taken as they are, in any script and with no rules of composition.
package struct Password: Hashable, Sendable {
    package static let lengths = 8...256

    package let text: String

    package init(_ text: String) throws(IdentityError) {
        // NIST SP 800-63B counts each code point as one character.
        guard Self.lengths.contains(text.unicodeScalars.count) else {
            throw .invalid(
                .password, reason: "be \(Self.lengths.lowerBound) to \(Self.lengths.upperBound) characters long")
        }
        guard !Self.commonest.contains(text.lowercased()) else {
            throw .invalid(.password, reason: "not be one of the passwords that are tried first")
        }
        self.text = text
    }

    /// The most used of eight characters or more in published breaches.
    private static let commonest: Set<String> = [
        "00000000", "0123456789", "11111111", "1111111111", "11223344", "12121212", "123123123", "12341234",
        "12344321", "12345678", "123456789", "1234567890", "123456789a", "1234qwer", "12345qwert", "123qweasd",
        "147258369", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx", "66666666", "77777777", "87654321", "88888888",
        "987654321", "99999999", "a1234567", "a12345678", "aa123456", "aaaaaaaa", "abc12345", "abcd1234", "access14",
        "admin123", "administrator", "asdf1234", "asdfasdf", "asdfghjkl", "baseball", "changeme", "charlie1",
        "computer", "corvette", "football", "football1", "iloveyou", "iloveyou1", "internet", "jennifer", "letmein1",
        "liverpool", "michelle", "passw0rd", "password", "password1", "password12", "password123", "princess",
        "princess1", "q1w2e3r4", "qazwsxedc", "qwer1234", "qwerty12", "qwerty123", "qwertyui", "qwertyuiop",
        "starwars", "sunshine", "superman", "trustno1", "welcome1", "zaq12wsx", "zxcvbnm1",
    ]
}

extension Password: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "a password" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What is kept of a password: salt, parameters and hash in one string, from which the password can't be read.
package struct PasswordHash: Hashable, Sendable {
    package let text: String

    package init(_ text: String) {
        self.text = text
    }
}

extension PasswordHash: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "a password hash" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Makes and checks hashes, at a cost that is meant to hurt whoever guesses.
package protocol PasswordHasher: Sendable {
    func hash(_ password: Password) async throws -> PasswordHash

    /// Checks a password against a hash; where there is none, does the same work and says no.
    func check(_ text: String, against hash: PasswordHash?) async throws -> PasswordCheck
}

package enum PasswordCheck: Hashable, Sendable {
    case wrong
    case right
    /// Right, and kept under parameters that are no longer good enough.
    case rightButOutdated
}
