/// What a tenant has bought.
package struct SKU: Hashable, Sendable {
    package static let codes = ["starter", "growth", "enterprise"]

    package let code: String

    package init(_ code: String) throws(IdentityError) {
        guard Self.codes.contains(code) else {
            throw .invalid(.sku, reason: "be one of \(Self.codes.joined(separator: ", "))")
        }
        self.code = code
    }

    /// Brings back a SKU that a tenant has, sold today or not.
    package init(restoring code: String) {
        self.code = code
    }
}

/// Where a tenant's data lives.
package struct Region: Hashable, Sendable {
    package static let codes = ["eu-central", "eu-west", "us-east", "us-west", "ap-southeast"]

    package let code: String

    package init(_ code: String) throws(IdentityError) {
        guard Self.codes.contains(code) else {
            throw .invalid(.region, reason: "be one of \(Self.codes.joined(separator: ", "))")
        }
        self.code = code
    }

    /// Brings back a region that a tenant has, open to newcomers or not.
    package init(restoring code: String) {
        self.code = code
    }
}
