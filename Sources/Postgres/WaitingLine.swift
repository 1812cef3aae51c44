/// Who waits, in the order of arrival; leaving early costs the same however many wait.
struct WaitingLine<Waiter>: ~Copyable {
    private struct Entry {
        let waiter: Waiter
        let deadline: ContinuousClock.Instant
    }

    private var entries: [UInt64: Entry] = [:]
    /// Those who left are still in here, until the next turn or until they are too many.
    private var order = Queue<UInt64>()

    var count: Int { entries.count }
    var isEmpty: Bool { entries.isEmpty }
    /// How many places are kept for those who left.
    var stale: Int { order.count - entries.count }
    var earliestDeadline: ContinuousClock.Instant? { entries.values.lazy.map(\.deadline).min() }

    mutating func append(_ waiter: Waiter, id: UInt64, deadline: ContinuousClock.Instant) {
        entries[id] = Entry(waiter: waiter, deadline: deadline)
        order.append(id)
    }

    mutating func popFirst() -> Waiter? {
        while let id = order.popFirst() {
            if let entry = entries.removeValue(forKey: id) { return entry.waiter }
        }
        return nil
    }

    mutating func remove(_ id: UInt64) -> Waiter? {
        guard let entry = entries.removeValue(forKey: id) else { return nil }
        if order.count > 2 * entries.count + 64 {
            let entries = entries
            order.removeAll { entries[$0] == nil }
        }
        return entry.waiter
    }

    mutating func removeExpired(at now: ContinuousClock.Instant) -> [Waiter] {
        let expired = entries.filter { $0.value.deadline <= now }.keys.sorted()
        return expired.compactMap { remove($0) }
    }

    mutating func removeAll() -> [Waiter] {
        var all: [Waiter] = []
        while let waiter = popFirst() { all.append(waiter) }
        return all
    }
}
