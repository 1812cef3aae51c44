/// The places of all who wait, linked into lines; taking a place and leaving it cost the same however many wait.
struct WaitingPlaces<Waiter>: ~Copyable {
    typealias Instant = ContinuousClock.Instant

    struct Place {
        let waiter: Waiter
        let id: UInt64
        let deadline: Instant
        let since: Instant
        /// Whose line it is in.
        let borrower: Int
        fileprivate var next: Int?
        fileprivate var previous: Int?
    }

    /// The ends of one line.
    struct Line {
        fileprivate var first: Int?
        fileprivate var last: Int?
        fileprivate(set) var count = 0
    }

    private struct Deadline: Comparable {
        let instant: Instant
        let id: UInt64

        static func < (one: Deadline, other: Deadline) -> Bool {
            one.instant == other.instant ? one.id < other.id : one.instant < other.instant
        }
    }

    private var places: [Place?] = []
    private var free: [Int] = []
    private var indices: [UInt64: Int] = [:]
    /// Those who left are still in here, until their time comes or until they are too many.
    private var deadlines = Heap<Deadline>()

    var count: Int { indices.count }
    var isEmpty: Bool { indices.isEmpty }
    /// How much is kept for those who left.
    var stale: Int { deadlines.count - count + free.count }

    mutating func append(
        _ waiter: Waiter, id: UInt64, deadline: Instant, since: Instant, borrower: Int, to line: inout Line
    ) {
        let place = Place(
            waiter: waiter, id: id, deadline: deadline, since: since, borrower: borrower, next: nil,
            previous: line.last)
        let index: Int
        if let vacant = free.popLast() {
            index = vacant
            places[index] = place
        } else {
            index = places.count
            places.append(place)
        }
        if let last = line.last { places[last]?.next = index } else { line.first = index }
        line.last = index
        line.count += 1
        indices[id] = index
        deadlines.insert(Deadline(instant: deadline, id: id))
    }

    mutating func popFirst(of line: inout Line) -> Place? {
        line.first.flatMap { remove(at: $0, from: &line) }
    }

    func borrower(of id: UInt64) -> Int? {
        indices[id].flatMap { places[$0]?.borrower }
    }

    mutating func remove(_ id: UInt64, from line: inout Line) -> Place? {
        indices[id].flatMap { remove(at: $0, from: &line) }
    }

    /// When somebody's patience ends next.
    mutating func earliestDeadline() -> Instant? {
        while let first = deadlines.first {
            if indices[first.id] != nil { return first.instant }
            _ = deadlines.popFirst()
        }
        return nil
    }

    /// Somebody whose patience is at its end.
    mutating func firstExpired(at now: Instant) -> UInt64? {
        guard let earliest = earliestDeadline(), earliest <= now else { return nil }
        return deadlines.first?.id
    }

    private mutating func remove(at index: Int, from line: inout Line) -> Place? {
        guard let place = places[index] else { return nil }
        if let previous = place.previous { places[previous]?.next = place.next } else { line.first = place.next }
        if let next = place.next { places[next]?.previous = place.previous } else { line.last = place.previous }
        line.count -= 1
        places[index] = nil
        indices[place.id] = nil
        if indices.isEmpty {
            places = []
            free = []
            deadlines.removeAll()
            if indices.capacity > 64 { indices = [:] }
        } else {
            free.append(index)
            if deadlines.count > 2 * indices.count + 64 {
                let indices = indices
                deadlines.keep { indices[$0.id] != nil }
            }
        }
        return place
    }
}
