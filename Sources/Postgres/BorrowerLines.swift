import Foundation

/// Who waits and who has connections, by borrower, and whose turn it is.
///
/// Each borrower with waiters has one line, and lines take turns by start-time fair queueing: a hand-over costs a line
/// `1 / weight` of virtual time, the line that is least far on goes next, and virtual time is where that line was.
/// So who joins with one request waits for at most one hand-over to each other line, however many stand in those; its
/// n-th request waits for at most `1 + (n - 1) · w / weight` hand-overs to a line of weight `w`. What a line has used
/// is kept while others wait, so that leaving and joining again gains nothing.
struct BorrowerLines<Waiter>: ~Copyable {
    typealias Instant = ContinuousClock.Instant
    typealias Places = WaitingPlaces<Waiter>

    private struct Borrower {
        var key: UUID?
        var weight = 1
        var cap = Int.max
        var held = 0
        var line = Places.Line()
        /// How many of its waiters could be served at this moment, were there connections enough.
        var demand = 0
        /// Where in virtual time its share of the last hand-over ends.
        var finish: UInt64 = 0
        /// Its entry in `ready`; 0 where it has none.
        var ticket: UInt64 = 0
        var isResting = false
        var newer: Int?
        var older: Int?
        var acquisitions = 0
        var timeouts = 0
        var waited: Duration = .zero

        var isAway: Bool { held == 0 && line.count == 0 }
    }

    private struct Ready: Comparable {
        let start: UInt64
        let ticket: UInt64
        let borrower: Int

        static func < (one: Ready, other: Ready) -> Bool {
            one.start == other.start ? one.ticket < other.ticket : one.start < other.start
        }
    }

    /// The cost of a hand-over to a line of weight 1: divisible by every weight up to 16, and by many beyond.
    private static var cost: UInt64 { 720_720 << 12 }
    static var system: Int { 0 }

    /// How many borrowers who neither wait nor hold anything are remembered.
    private let memory: Int
    private var borrowers: [Borrower] = [Borrower()]
    private var vacant: [Int] = []
    private var indices: [UUID: Int] = [:]
    private var newest: Int?
    private var oldest: Int?
    private var resting = 0
    private var places = Places()
    private var ready = Heap<Ready>()
    private var readyCount = 0
    private var tickets: UInt64 = 0
    private var clock: UInt64 = 0
    private var latestFinish: UInt64 = 0
    /// How many waiters could be served at this moment, were there connections enough.
    private(set) var demand = 0

    init(memory: Int) {
        self.memory = memory
    }

    var count: Int { places.count }
    var isEmpty: Bool { places.isEmpty }
    var stale: Int { places.stale + ready.count - readyCount }
    var remembered: Int { borrowers.count - vacant.count }

    // MARK: Those who come

    /// Counts a connection as held where its borrower may have one without standing in line.
    mutating func holdAtOnce(_ borrower: PoolBorrower) -> Int? {
        guard demand == 0 else { return nil }
        let index = index(of: borrower)
        guard borrowers[index].held < borrowers[index].cap, borrowers[index].line.count == 0 else { return nil }
        borrowers[index].held += 1
        borrowers[index].acquisitions += 1
        if borrowers[index].isResting { wakeUp(index) }
        return index
    }

    mutating func append(
        _ waiter: Waiter, id: UInt64, for borrower: PoolBorrower, deadline: Instant, since now: Instant
    ) {
        let index = index(of: borrower)
        places.append(
            waiter, id: id, deadline: deadline, since: now, borrower: index, to: &borrowers[index].line)
        refresh(index)
    }

    // MARK: Those who go

    /// Whose turn it is; from now on a connection counts as held.
    mutating func popNext(at now: Instant) -> (waiter: Waiter, borrower: Int)? {
        while let next = ready.popFirst() {
            let index = next.borrower
            guard borrowers[index].ticket == next.ticket else { continue }
            borrowers[index].ticket = 0
            readyCount -= 1
            guard let place = places.popFirst(of: &borrowers[index].line) else { continue }
            clock = next.start
            borrowers[index].finish = next.start + Self.cost / UInt64(borrowers[index].weight)
            latestFinish = max(latestFinish, borrowers[index].finish)
            borrowers[index].held += 1
            borrowers[index].acquisitions += 1
            borrowers[index].waited += place.since.duration(to: now)
            refresh(index)
            return (place.waiter, index)
        }
        return nil
    }

    mutating func gaveBack(_ index: Int) {
        borrowers[index].held -= 1
        if borrowers[index].line.count > 0 {
            refresh(index)
        } else if borrowers[index].held == 0 {
            rest(index)
        }
    }

    mutating func remove(_ id: UInt64, at now: Instant) -> Waiter? {
        leave(id, at: now)?.waiter
    }

    mutating func earliestDeadline() -> Instant? { places.earliestDeadline() }

    /// Somebody whose patience is at its end, and the cap where it was that which kept them.
    mutating func popExpired(at now: Instant) -> (waiter: Waiter, cap: Int?)? {
        guard let id = places.firstExpired(at: now), let index = places.borrower(of: id) else { return nil }
        borrowers[index].timeouts += 1
        let cap = borrowers[index].held >= borrowers[index].cap ? borrowers[index].cap : nil
        return leave(id, at: now).map { ($0.waiter, cap) }
    }

    mutating func removeAll(at now: Instant) -> [Waiter] {
        var all: [Waiter] = []
        for index in borrowers.indices {
            while let place = places.popFirst(of: &borrowers[index].line) { all.append(place.waiter) }
            refresh(index)
        }
        return all
    }

    /// Nobody waits and a connection is left over: what lines have used before counts no longer.
    mutating func forgetUse() {
        if isEmpty { clock = latestFinish }
    }

    // MARK: The rules

    private mutating func leave(_ id: UInt64, at now: Instant) -> Places.Place? {
        guard let index = places.borrower(of: id),
            let place = places.remove(id, from: &borrowers[index].line)
        else { return nil }
        borrowers[index].waited += place.since.duration(to: now)
        refresh(index)
        return place
    }

    private mutating func refresh(_ index: Int) {
        let room = borrowers[index].cap - borrowers[index].held
        let served = max(0, min(borrowers[index].line.count, room))
        demand += served - borrowers[index].demand
        borrowers[index].demand = served
        if served > 0, borrowers[index].ticket == 0 {
            tickets += 1
            borrowers[index].ticket = tickets
            readyCount += 1
            ready.insert(
                Ready(start: max(clock, borrowers[index].finish), ticket: tickets, borrower: index))
        } else if served == 0, borrowers[index].ticket != 0 {
            borrowers[index].ticket = 0
            readyCount -= 1
            if ready.count > 2 * readyCount + 64 {
                let tickets = borrowers.map(\.ticket)
                ready.keep { tickets[$0.borrower] == $0.ticket }
            }
        }
        if borrowers[index].isAway { rest(index) } else if borrowers[index].isResting { wakeUp(index) }
    }

    private mutating func index(of borrower: PoolBorrower) -> Int {
        guard let key = borrower.key else {
            update(Self.system, borrower)
            return Self.system
        }
        if let known = indices[key] {
            update(known, borrower)
            return known
        }
        let new = Borrower(key: key, weight: borrower.weight, cap: borrower.cap ?? .max)
        let index: Int
        if let place = vacant.popLast() {
            index = place
            borrowers[index] = new
        } else {
            index = borrowers.count
            borrowers.append(new)
        }
        indices[key] = index
        rest(index)
        return index
    }

    private mutating func update(_ index: Int, _ borrower: PoolBorrower) {
        borrowers[index].weight = borrower.weight
        let cap = borrower.cap ?? .max
        guard borrowers[index].cap != cap else { return }
        borrowers[index].cap = cap
        if borrowers[index].line.count > 0 { refresh(index) }
    }

    // MARK: Who is remembered

    private mutating func rest(_ index: Int) {
        guard index != Self.system, !borrowers[index].isResting else { return }
        borrowers[index].isResting = true
        borrowers[index].older = newest
        borrowers[index].newer = nil
        if let newest { borrowers[newest].newer = index } else { oldest = index }
        newest = index
        resting += 1
        guard resting > memory, let forgotten = oldest, let key = borrowers[forgotten].key else { return }
        wakeUp(forgotten)
        indices[key] = nil
        vacant.append(forgotten)
        borrowers[forgotten] = Borrower()
    }

    private mutating func wakeUp(_ index: Int) {
        let (newer, older) = (borrowers[index].newer, borrowers[index].older)
        if let newer { borrowers[newer].older = older } else { newest = older }
        if let older { borrowers[older].newer = newer } else { oldest = newer }
        borrowers[index].isResting = false
        resting -= 1
    }

    var statistics: [PoolBorrowerStatistics] {
        borrowers.compactMap { borrower in
            guard borrower.key != nil || borrower.acquisitions + borrower.timeouts + borrower.line.count > 0 else {
                return nil
            }
            return PoolBorrowerStatistics(
                key: borrower.key, leased: borrower.held, waiting: borrower.line.count,
                acquisitions: borrower.acquisitions, timeouts: borrower.timeouts, waited: borrower.waited)
        }
    }
}
