package import Foundation

/// On whose behalf a connection is borrowed: those who share a key stand in one line and share its part of the pool.
package struct PoolBorrower: Sendable, Hashable {
    /// A tenant, as a rule; nil is the system itself.
    package let key: UUID?
    /// How many hand-overs its line gets for each one that a line of weight 1 gets, while both have waiters: 1 to 1024.
    package let weight: Int
    /// The most connections its key may have at once; with that many it waits though others are idle.
    package let cap: Int?

    package init(key: UUID?, weight: Int = 1, cap: Int? = nil) {
        self.key = key
        self.weight = min(max(weight, 1), 1024)
        self.cap = cap.map { max($0, 1) }
    }

    package static let system = PoolBorrower(key: nil)
}
