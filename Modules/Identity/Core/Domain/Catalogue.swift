/// What a tenant has bought, by its code.
package struct SKU: Hashable, Sendable {
    package let code: String

    package init(_ code: String) throws(IdentityError) {
        guard isCode(code) else { throw .invalid(.sku, reason: codeForm) }
        self.code = code
    }

    /// Brings back a SKU that a tenant has, sold today or not.
    package init(restoring code: String) {
        self.code = code
    }
}

/// Where a tenant's data lives, by its code.
package struct Region: Hashable, Sendable {
    package let code: String

    package init(_ code: String) throws(IdentityError) {
        guard isCode(code) else { throw .invalid(.region, reason: codeForm) }
        self.code = code
    }

    /// Brings back a region that a tenant has, open to newcomers or not.
    package init(restoring code: String) {
        self.code = code
    }
}

private let codeForm = "begin with a letter and hold 1 to 40 of a-z, 0-9 and hyphens"

private func isCode(_ text: String) -> Bool {
    guard (1...40).contains(text.utf8.count), let first = text.utf8.first,
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
    else { return false }
    return text.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
            || $0 == UInt8(ascii: "-")
    }
}
