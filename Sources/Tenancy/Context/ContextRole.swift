import Postgres

/// A database role that a transaction steps into: its rights are all the rights the transaction has.
package struct ContextRole: Hashable, Sendable {
    package let schema: String
    package let name: String

    /// The role of a context's own code, `<schema>_app`.
    package static func app(_ schema: StaticString) -> ContextRole {
        ContextRole(schema: "\(schema)", suffix: "app")
    }

    private init(schema: String, suffix: String) {
        self.schema = schema
        self.name = "\(schema)_\(suffix)"
    }

    /// Whether its tables are in the control plane's database, wherever a tenant's data is.
    var isOfControlPlane: Bool { schema == "control" }
}

/// A role that sees rows of every tenant: for the relay, for clean-up, for the control plane, and for nothing else.
package struct CrossTenantRole: Hashable, Sendable {
    package let schema: String
    package let name: String

    /// The role of a context's relay, dead letters and clean-up, `<schema>_worker`.
    package static func worker(_ schema: String) -> CrossTenantRole {
        precondition(isPlainIdentifier(schema), "a schema is named by lower-case letters, digits and underscores")
        return CrossTenantRole(schema: schema, name: "\(schema)_worker")
    }

    /// The control plane: tenants by slug, registration, placement, suspension.
    package static let controlPlane = CrossTenantRole(schema: "control", name: "control_plane")

    private init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }
}

/// Whether a name can stand in SQL without quotes.
package func isPlainIdentifier(_ name: String) -> Bool {
    guard let first = name.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
    return name.utf8.count <= 48
        && name.utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || $0 == UInt8(ascii: "_")
        }
}
