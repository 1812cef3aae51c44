import Testing

@testable import Kafka
@testable import Messaging

@Suite("A partition's watermark")
struct WatermarkTests {
    @Test("moves to the last that is finished with nothing unfinished before it")
    func gaps() {
        var mark = Watermark<Int64>()
        for offset: Int64 in [3, 4, 7, 9] { mark.begin(offset, offset) }
        #expect(mark.finish(4) == nil)
        #expect(mark.finish(9) == nil)
        #expect(mark.finish(3) == 4)
        #expect(mark.count == 2)
        #expect(mark.finish(7) == 9)
        #expect(mark.isEmpty)
        #expect(mark.finish(7) == nil)
    }

    @Test("never passes unfinished work, in two hundred random orders", arguments: 0..<200)
    func random(_ seed: Int) {
        var random = Random(state: UInt64(seed) + 1)
        var mark = Watermark<Int64>()
        var open: [Int64] = []
        var unfinished: Set<Int64> = []
        var next: Int64 = 0
        var stored: Int64 = -1
        for _ in 0..<2000 {
            if open.isEmpty || random.next() % 2 == 0 {
                next += Int64(random.next() % 3) + 1
                mark.begin(next, next)
                open.append(next)
                unfinished.insert(next)
            } else {
                let done = open.remove(at: Int(random.next() % UInt64(open.count)))
                unfinished.remove(done)
                guard let moved = mark.finish(done) else { continue }
                #expect(moved > stored)
                stored = moved
                #expect(unfinished.allSatisfy { $0 > moved })
            }
        }
        for offset in open {
            unfinished.remove(offset)
            stored = mark.finish(offset) ?? stored
        }
        #expect(stored == next && mark.isEmpty)
    }
}

/// The same numbers in every run.
struct Random {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

@Suite("The schedule of a consumer")
struct IntakeScheduleTests {
    private static func message(
        _ offset: Int64, key: String, tenant: String = "a", partition: Int32 = 0, epoch: UInt64 = 1, size: Int? = nil
    ) -> KafkaMessage {
        KafkaMessage(
            TopicPartition(topic: "t", partition: partition), offset: offset, key: Array(key.utf8),
            value: size.map { Array(repeating: 0, count: $0) },
            headers: [KafkaHeader(name: "ce_tenantid", value: Array(tenant.utf8))], timestamp: 0, epoch: epoch)
    }

    @Test("works on different keys side by side, and on one key in order")
    func keys() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits())
        for (offset, key) in ["x", "y", "x", "z"].enumerated() {
            _ = schedule.add(Self.message(Int64(offset), key: key))
        }
        #expect((0..<4).map { _ in schedule.next()?.offsets } == [[0], [1], [3], nil])
        #expect(schedule.finish(Self.message(1, key: "y")).store == nil)
        #expect(schedule.finish(Self.message(0, key: "x")).store?.offset == 1)
        #expect(schedule.next()?.offsets == [2])
    }

    @Test("leaves room for other tenants, however much one has")
    func tenants() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 4, ofOneTenant: 3, window: 1000))
        for offset in 0..<100 { _ = schedule.add(Self.message(Int64(offset), key: "k\(offset)", tenant: "flood")) }
        _ = schedule.add(Self.message(100, key: "other", tenant: "quiet"))
        let begun = (0..<4).compactMap { _ in schedule.next()?.messages.first }
        #expect(begun.count == 4)
        #expect(begun.count { $0.key == Array("other".utf8) } == 1)
        #expect(schedule.next() == nil)
    }

    @Test("takes together what one tenant has waiting for the same reaction, each key once and no more than allowed")
    func together() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 9, ofOneTenant: 9, together: 3, window: 1000))
        for (offset, key) in ["k1", "k2", "x1", "k1", "k3", "k4", "x2"].enumerated() {
            _ = schedule.add(Self.message(Int64(offset), key: key), key.first == "k" ? .reaction("r") : nil)
        }
        _ = schedule.add(Self.message(7, key: "k5", tenant: "b"), .reaction("r"))
        let work = (0..<6).compactMap { _ in schedule.next() }
        #expect(work.map(\.offsets) == [[0, 1, 4], [7], [2], [5], [6]])
        #expect(schedule.inFlight == 7)
        // The following message of a key that went together comes when all have ended.
        #expect(schedule.finish(work[0], [.done, .done, .done]).map(\.store?.offset) == [0, 1, nil])
        #expect(schedule.next()?.offsets == [3])
    }

    @Test("gathers for a reaction while two pieces of the tenant are worked on, and holds up nothing else")
    func gathering() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 9, ofOneTenant: 9, together: 2, window: 1000))
        for offset in 0..<8 { _ = schedule.add(Self.message(Int64(offset), key: "k\(offset)"), .reaction("r")) }
        _ = schedule.add(Self.message(8, key: "x"))
        _ = schedule.add(Self.message(9, key: "y"), .passingBy)
        let work = (0..<6).compactMap { _ in schedule.next() }
        #expect(work.map(\.offsets) == [[0, 1], [8], [9], [2, 3]])
        #expect(schedule.finish(work[3], [.done, .alone]).count == 2)
        #expect((0..<3).map { _ in schedule.next()?.offsets } == [[4, 5], [3], nil])
    }

    @Test("takes no more together than has room, but one however large it is")
    func bytes() {
        var limits = IntakeSchedule.Limits()
        limits.togetherBytes = 10
        var schedule = IntakeSchedule(limits)
        for (offset, size) in [4, 6, 1, 11, 1].enumerated() {
            _ = schedule.add(Self.message(Int64(offset), key: "k\(offset)", size: size), .reaction("r"))
        }
        let work = (0..<2).compactMap { _ in schedule.next() }
        #expect(work.map(\.offsets) == [[0, 1], [2]])
        _ = schedule.finish(work[1], [.done])
        #expect(schedule.next()?.offsets == [3])
    }

    @Test(
        "takes alone what could not be taken together, before the others of its key, and passes it no more than others")
    func alone() throws {
        var schedule = IntakeSchedule(IntakeSchedule.Limits())
        for (offset, key) in ["x", "y", "z", "x"].enumerated() {
            _ = schedule.add(Self.message(Int64(offset), key: key), .reaction("r"))
        }
        let next = schedule.next()
        let work = try #require(next)
        #expect(work.offsets == [0, 1, 2])
        #expect(schedule.finish(work, [.alone, .done, .alone]).allSatisfy { $0.store == nil })
        #expect(schedule.inFlight == 0)
        let rest = (0..<2).compactMap { _ in schedule.next() }
        #expect(rest.map(\.offsets) == [[0], [2]])
        #expect(schedule.finish(rest[0], [.done])[0].store?.offset == 1)
        // Only that message was to be alone, not what follows it in its key.
        _ = schedule.add(Self.message(4, key: "y"), .reaction("r"))
        #expect(schedule.next()?.offsets == [3, 4])
    }

    @Test("keeps a place free of a tenant that is alone, for another's that comes later")
    func share() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 4, ofOneTenant: 3, window: 1000))
        for offset in 0..<100 { _ = schedule.add(Self.message(Int64(offset), key: "k\(offset)", tenant: "flood")) }
        #expect((0..<4).compactMap { _ in schedule.next()?.messages.first?.offset } == [0, 1, 2])
        _ = schedule.add(Self.message(100, key: "other", tenant: "quiet"))
        #expect(schedule.next()?.messages.first?.offset == 100)
        // What one has finished it may have again.
        _ = schedule.finish(Self.message(1, key: "k1", tenant: "flood"))
        #expect((0..<2).compactMap { _ in schedule.next()?.messages.first?.offset } == [3])
    }

    @Test("gives tenants turns: the second of one comes after the first of another")
    func turns() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 3, ofOneTenant: 3, window: 1000))
        for offset in 0..<50 { _ = schedule.add(Self.message(Int64(offset), key: "k\(offset)", tenant: "flood")) }
        _ = schedule.add(Self.message(50, key: "other", tenant: "quiet"))
        #expect([schedule.next()?.offsets, schedule.next()?.offsets] == [[0], [50]])
    }

    @Test("pauses a partition whose window is full, and lets it go on at half of that")
    func window() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits(concurrency: 10, ofOneTenant: 10, window: 10))
        let source = TopicPartition(topic: "t", partition: 0)
        var turned = 0
        for offset in 0..<10 {
            turned += schedule.add(Self.message(Int64(offset), key: "k\(offset)")).turnsFlow ? 1 : 0
        }
        #expect(turned == 1 && schedule.flow(of: source)?.isPaused == true)
        while schedule.next() != nil {}
        // The oldest holds the mark back, so nothing is gained by the others.
        for offset in 1..<9 {
            #expect(!schedule.finish(Self.message(Int64(offset), key: "k\(offset)")).turnsFlow)
        }
        #expect(schedule.finish(Self.message(0, key: "k0")).turnsFlow)
        #expect(schedule.flow(of: source)?.isPaused == false)
    }

    @Test("stores nothing for a message that was not dealt with, nor for one of an assignment that is over")
    func notDone() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits())
        _ = schedule.add(Self.message(0, key: "x"))
        _ = schedule.add(Self.message(1, key: "y"))
        _ = (schedule.next(), schedule.next())
        #expect(schedule.finish(Self.message(0, key: "x"), .undone).store == nil)
        #expect(schedule.finish(Self.message(1, key: "y")).store == nil)
        // The partition has come back, and its messages again.
        _ = schedule.add(Self.message(0, key: "x", epoch: 2))
        #expect(schedule.next()?.messages.first?.position.epoch == 2)
        #expect(schedule.finish(Self.message(0, key: "x", epoch: 2)).store?.offset == 0)
    }

    @Test("takes the end of what was begun under an assignment that is over for none of the same offset's in the next")
    func returned() {
        var schedule = IntakeSchedule(IntakeSchedule.Limits())
        _ = schedule.add(Self.message(0, key: "x"))
        _ = schedule.next()
        // The partition goes and comes back while the message is being worked on.
        _ = schedule.add(Self.message(0, key: "x", epoch: 2))
        _ = schedule.add(Self.message(1, key: "y", epoch: 2))
        #expect(schedule.next()?.messages.first?.offset == 1)
        #expect(schedule.finish(Self.message(0, key: "x")).store == nil)
        #expect(schedule.finish(Self.message(1, key: "y", epoch: 2)).store == nil)
        #expect(schedule.next()?.messages.first?.position.epoch == 2)
        #expect(schedule.finish(Self.message(0, key: "x", epoch: 2)).store?.offset == 1)
    }
}

extension IntakeSchedule {
    fileprivate mutating func finish(_ message: KafkaMessage, _ verdict: Verdict = .done) -> Effect {
        finish(Piece(messages: [message], companions: nil), [verdict])[0]
    }
}

extension Piece {
    fileprivate var offsets: [Int64] { messages.map(\.offset) }
}

@Suite("Where a group begins with a partition")
struct StreamStartTests {
    @Test(
        "follows from what the broker and the context's books say",
        arguments: [
            // committed, recorded, first, end, where to begin; nil is a gap
            (nil, nil, 0, 10, 0), (nil, nil, 4, 10, 4), (7, 7, 0, 10, 7), (7, nil, 0, 10, 7), (10, 10, 0, 10, 10),
            (7, 9, 0, 10, 7), (4, 4, 4, 10, 4),
            (0, 0, 0, 0, 0), (0, 0, 0, 10, 0), (0, 0, 4, 10, nil), (nil, 0, 0, 10, nil),
            (nil, 7, 0, 10, nil), (nil, 7, 0, 0, nil), (7, 7, 0, 3, nil), (7, 12, 0, 10, nil), (3, 3, 4, 10, nil),
        ] as [(Int64?, Int64?, Int64, Int64, Int64?)])
    func decided(_ committed: Int64?, _ recorded: Int64?, _ first: Int64, _ end: Int64, _ start: Int64?) {
        let found = StreamStart(
            standing: PartitionStanding(committed: committed, first: first, end: end), recorded: recorded)
        if let start {
            #expect(found == .at(start))
        } else if case .at(let offset) = found {
            Issue.record("begins at \(offset) in silence")
        }
    }
}
