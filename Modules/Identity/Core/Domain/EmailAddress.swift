/// An address as RFC 5321 has it without quotes or literals, in lower case, so that one person has one address.
package struct EmailAddress: Hashable, Sendable {
    package static let longest = 254

    package let text: String

    package init(_ text: String) throws(IdentityError) {
        let normalised = text.lowercased()
        let parts = normalised.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard normalised.utf8.count <= Self.longest, parts.count == 2, isDotAtom(parts[0]), parts[0].count <= 64,
            isDomain(parts[1])
        else { throw .invalid(.email, reason: "be an address such as ada@example.com, at most 254 characters long") }
        self.text = normalised
    }

    package init(restoring text: String) {
        self.text = text
    }
}

extension EmailAddress: CustomStringConvertible {
    package var description: String { text }
}

private func isDotAtom(_ bytes: Substring.UTF8View.SubSequence) -> Bool {
    bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { atom in
        !atom.isEmpty && atom.allSatisfy { isAlphanumeric($0) || "!#$%&'*+-/=?^_`{|}~".utf8.contains($0) }
    }
}

private func isDomain(_ bytes: Substring.UTF8View.SubSequence) -> Bool {
    let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return labels.count >= 2
        && labels.allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            return label.count <= 63 && isAlphanumeric(first) && isAlphanumeric(last)
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
}

private func isAlphanumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
