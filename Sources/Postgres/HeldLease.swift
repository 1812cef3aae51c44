import Synchronization

/// Counts the leases of one connection, so that one that is over can be told from the one that goes on.
///
/// An object of its own because a connection is slow to retain: it is referenced weakly.
final class LeaseMark: Sendable {
    /// Odd while the connection is lent.
    private let number = Atomic<UInt64>(0)

    func begin() -> UInt64 { number.add(1, ordering: .relaxed).newValue }
    func end() { number.add(1, ordering: .relaxed) }
    func isCurrent(_ other: UInt64) -> Bool { number.load(ordering: .relaxed) == other }
}

/// Which connections the running task has borrowed already, by way of the bodies that it is in.
struct HeldLease: Sendable {
    @TaskLocal static var innermost: HeldLease?

    private final class Outer: Sendable {
        let lease: HeldLease

        init(_ lease: HeldLease) {
            self.lease = lease
        }
    }

    private let pool: ObjectIdentifier
    private let budget: ObjectIdentifier?
    private let mark: LeaseMark
    private let number: UInt64
    private let outer: Outer?

    /// Begins a lease, inside of those that the task has.
    init(_ connection: PostgresConnection, pool: ObjectIdentifier, budget: ObjectIdentifier?, inside: HeldLease?) {
        self.pool = pool
        self.budget = budget
        mark = connection.leaseMark
        number = mark.begin()
        outer = inside.map(Outer.init)
    }

    func end() {
        mark.end()
    }

    /// Whether a body that waits for another connection could wait for its own.
    ///
    /// A task that outlives the body it was started in keeps its task-locals: then the lease is over, and doesn't count.
    func excludes(pool: ObjectIdentifier, budget: ObjectIdentifier?) -> Bool {
        if mark.isCurrent(number), self.pool == pool || (budget != nil && self.budget == budget) { return true }
        return outer?.lease.excludes(pool: pool, budget: budget) ?? false
    }
}
