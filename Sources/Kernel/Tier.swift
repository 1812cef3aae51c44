/// How far a tenant's data is set apart from others'.
package enum Tier: String, CaseIterable, Hashable, Sendable {
    /// Tables shared with others.
    case pool
    /// Schemas of its own in a database shared with others.
    case bridge
    /// A database of its own.
    case silo
}
