import Foundation
import Testing

@testable import Postgres

@Suite("Lines of borrowers")
struct BorrowerLinesTests {
    private typealias Lines = BorrowerLines<String>
    private let now = ContinuousClock.now

    /// Lines of borrowers named by a letter, whose waiters bear its name.
    private struct Crowd: ~Copyable {
        var lines: Lines
        var nextID: UInt64 = 1
        var keys: [String: UUID] = [:]
        let now: ContinuousClock.Instant

        init(memory: Int = 256, now: ContinuousClock.Instant) {
            lines = Lines(memory: memory)
            self.now = now
        }

        mutating func borrower(_ name: String, weight: Int = 1, cap: Int? = nil) -> PoolBorrower {
            let key = keys[name] ?? UUID()
            keys[name] = key
            return PoolBorrower(key: key, weight: weight, cap: cap)
        }

        @discardableResult
        mutating func join(_ name: String, weight: Int = 1, cap: Int? = nil, times: Int = 1) -> UInt64 {
            let borrower = borrower(name, weight: weight, cap: cap)
            for _ in 0..<times {
                lines.append(name, id: nextID, for: borrower, deadline: now.advanced(by: .seconds(9)), since: now)
                nextID += 1
            }
            return nextID - 1
        }

        /// Hands connections over that come back at once, and says to whom.
        mutating func handOver(_ times: Int = 1) -> [String] {
            var served: [String] = []
            for _ in 0..<times {
                guard let next = lines.popNext(at: now) else { break }
                served.append(next.waiter)
                lines.gaveBack(next.borrower)
            }
            return served
        }
    }

    @Test(
        "a newcomer's one request waits for at most one hand-over to each other line", arguments: [1, 2, 5, 16, 1024])
    func newcomer(_ heaviest: Int) {
        for head in 0..<60 {
            var crowd = Crowd(now: now)
            for (number, weight) in [1, 1, 3, heaviest].enumerated() {
                crowd.join("other\(number)", weight: weight, times: 1000)
            }
            _ = crowd.handOver(head)
            crowd.join("new")
            var waits: [String: Int] = [:]
            while let served = crowd.handOver().first, served != "new" { waits[served, default: 0] += 1 }
            #expect(waits.values.allSatisfy { $0 == 1 })
        }
    }

    @Test("the n-th request of a line waits for no more hand-overs to others than its weight allows")
    func later() {
        for (weight, other) in [(1, 1), (1, 8), (4, 1), (2, 5)] {
            for head in 0..<20 {
                var crowd = Crowd(now: now)
                crowd.join("other", weight: other, times: 1000)
                _ = crowd.handOver(head)
                crowd.join("new", weight: weight, times: 20)
                var (mine, others) = (0, 0)
                while mine < 20, let served = crowd.handOver().first {
                    guard served == "new" else {
                        others += 1
                        continue
                    }
                    mine += 1
                    #expect(others * weight <= weight + (mine - 1) * other)
                }
                #expect(mine == 20)
            }
        }
    }

    @Test("connections go to lines in proportion to their weights")
    func proportion() {
        var crowd = Crowd(now: now)
        for (name, weight) in [("a", 1), ("b", 2), ("c", 5)] { crowd.join(name, weight: weight, times: 2000) }
        let served = crowd.handOver(1600)
        let counts = ["a", "b", "c"].map { name in served.count { $0 == name } }
        #expect(zip(counts, [200, 400, 1000]).allSatisfy { abs($0 - $1) <= 1 })
    }

    @Test("within a line it is first come, first served")
    func fifo() {
        var lines = BorrowerLines<Int>(memory: 4)
        for number in 0..<50 {
            lines.append(number, id: UInt64(number), for: .system, deadline: now, since: now)
        }
        let gone = lines.remove(20, at: now)
        var served: [Int] = []
        while let next = lines.popNext(at: now) { served.append(next.waiter) }
        #expect(gone == 20 && served == Array(0..<20) + Array(21..<50))
    }

    @Test("who leaves the line and joins it again gains no share by it", arguments: [true, false])
    func rejoining(_ leaves: Bool) {
        var crowd = Crowd(now: now)
        crowd.join("patient", times: 1000)
        var id: UInt64?
        var restless = 0
        for _ in 0..<400 {
            if leaves, let standing = id {
                let left = crowd.lines.remove(standing, at: now)
                #expect(left == "restless")
                id = nil
            }
            if id == nil { id = crowd.join("restless") }
            guard crowd.handOver() == ["restless"] else { continue }
            restless += 1
            id = nil
        }
        #expect((199...201).contains(restless))
    }

    @Test("a line at its cap waits without holding others back, and takes its turn when it may again")
    func cap() {
        var crowd = Crowd(now: now)
        crowd.join("capped", cap: 2, times: 10)
        crowd.join("other", times: 3)
        #expect(crowd.lines.demand == 5)
        var held: [Int] = []
        var served: [String] = []
        while let next = crowd.lines.popNext(at: now) {
            served.append(next.waiter)
            if next.waiter == "capped" { held.append(next.borrower) }
        }
        #expect(served.sorted() == ["capped", "capped", "other", "other", "other"])
        #expect(crowd.lines.demand == 0 && crowd.lines.count == 8)
        let atOnce = crowd.lines.holdAtOnce(crowd.borrower("capped", cap: 2))
        #expect(atOnce == nil)
        let free = crowd.lines.holdAtOnce(crowd.borrower("third", cap: 1))
        let more = crowd.lines.holdAtOnce(crowd.borrower("third", cap: 1))
        #expect(free != nil && more == nil)
        crowd.lines.gaveBack(held[0])
        #expect(crowd.lines.demand == 1)
        // A cap that is raised counts from then on.
        crowd.join("capped", cap: 4)
        #expect(crowd.lines.demand == 3)
    }

    @Test("nobody who could be served is passed by a borrower who asks at once")
    func noBarging() {
        var crowd = Crowd(now: now)
        crowd.join("waiting")
        let system = crowd.lines.holdAtOnce(.system)
        let own = crowd.lines.holdAtOnce(crowd.borrower("waiting"))
        #expect(system == nil && own == nil)
    }

    @Test("only the last borrowers are remembered, and of ten thousand who left next to nothing")
    func memory() {
        var crowd = Crowd(memory: 8, now: now)
        for number in 0..<10_000 {
            crowd.join("key\(number)")
            _ = crowd.handOver()
        }
        #expect(crowd.lines.remembered <= 10)
        #expect(crowd.lines.statistics.count == 8)
        for number in 0..<10_000 { crowd.join("key\(number % 50)") }
        for id in 10_002...20_000 { _ = crowd.lines.remove(UInt64(id), at: now) }
        #expect(crowd.lines.count == 1)
        let last = crowd.handOver()
        #expect(last == ["key0"] && crowd.lines.stale <= 64 && crowd.lines.remembered <= 59)
        // They are told apart even so.
        #expect(crowd.lines.statistics.allSatisfy { $0.leased == 0 && $0.waiting == 0 })
    }

    @Test("figures are kept by borrower: who holds, who waits, how often and how long")
    func figures() {
        var lines = BorrowerLines<String>(memory: 8)
        let key = UUID()
        let ann = PoolBorrower(key: key)
        for id in 1...3 {
            lines.append(
                "ann", id: UInt64(id), for: ann, deadline: now.advanced(by: .seconds(id)), since: now)
        }
        _ = lines.popNext(at: now.advanced(by: .milliseconds(500)))
        let expired = lines.popExpired(at: now.advanced(by: .seconds(2)))
        #expect(expired?.waiter == "ann" && expired?.cap == nil)
        #expect(
            lines.statistics == [
                PoolBorrowerStatistics(
                    key: key, leased: 1, waiting: 1, acquisitions: 1, timeouts: 1, waited: .milliseconds(2500))
            ])
    }
}
