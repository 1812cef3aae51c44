package import Foundation

/// What a pool has, and what it has done since it was made.
package struct PoolStatistics: Sendable, Hashable {
    /// How many connections it keeps.
    package var size = 0
    /// How many connections are open beyond those.
    package var overflow = 0
    /// Connections that are open, whatever they do.
    package var open = 0
    package var idle = 0
    /// Lent, or coming to rest after having been lent.
    package var leased = 0
    package var opening = 0
    /// Closed on this side, while the server's process may still be there.
    package var closing = 0
    package var waiting = 0
    package var acquisitions = 0
    package var timeouts = 0
    package var created = 0
    package var destroyed = 0
    package var failures = 0
    /// How often which kind of thing was left on a connection, which was destroyed for it.
    package var unclean: [Leftover: Int] = [:]
    /// Those who hold or wait for a connection now, and a bounded number of those who did last.
    package var borrowers: [PoolBorrowerStatistics] = []

    package init() {}
}

/// One borrower's part of a pool's figures; its counts begin anew where it was forgotten in between.
package struct PoolBorrowerStatistics: Sendable, Hashable {
    /// Nil is the system itself.
    package let key: UUID?
    package let leased: Int
    package let waiting: Int
    package let acquisitions: Int
    package let timeouts: Int
    /// The time that its requests stood in line, all together, those who gave up included.
    package let waited: Duration
}
