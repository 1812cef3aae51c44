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
    private let connection: PostgresConnection
    private let number: UInt64
    private let outer: Outer?

    /// Begins a lease, inside of those that the task has.
    init(_ connection: PostgresConnection, pool: ObjectIdentifier, budget: ObjectIdentifier?, inside: HeldLease?) {
        self.pool = pool
        self.budget = budget
        self.connection = connection
        number = connection.beginLease()
        outer = inside.map(Outer.init)
    }

    func end() {
        connection.endLease()
    }

    /// Whether a body that waits for another connection could wait for its own.
    ///
    /// A task that outlives the body it was started in keeps its task-locals: then the lease is over, and doesn't count.
    func excludes(pool: ObjectIdentifier, budget: ObjectIdentifier?) -> Bool {
        if connection.isLeased(number), self.pool == pool || (budget != nil && self.budget == budget) { return true }
        return outer?.lease.excludes(pool: pool, budget: budget) ?? false
    }
}
