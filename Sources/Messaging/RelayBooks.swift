import Kernel

/// What a relay knows of the shards that it holds: what is with the broker, what is read, and what is to be saved.
///
/// Pure. Each shard has one page with the broker, in order, and one that is read meanwhile.
struct RelayBooks {
    struct Page: Sendable {
        let events: [OutboxRow]
        /// Where the shard is once the broker has them.
        var after: ShardPosition
    }

    /// A page that may go to the broker.
    struct Sending: Sendable {
        let shard: Int16
        let epoch: UInt64
        let events: [OutboxRow]
    }

    enum Outcome: Sendable {
        /// All of the page is with the broker, but for what it refused for ever.
        case taken(refused: [DeadLetter])
        /// Some of it may be; all of it is to be read again.
        case stopped
    }

    private struct Shard {
        let epoch: UInt64
        var saved: ShardPosition
        var publishedBefore: Timestamp?
        var done: ShardProgress?
        /// Where reading goes on.
        var ahead: ShardPosition
        var sending: Page?
        var isStarted = false
        var next: Page?
        var mayHaveMore = true
        var isLeaving = false
        /// How many events without a lane the last page had.
        var others = 0
        /// Once all transactions before the number are published, so is all that was recorded well before the time.
        var mark: (time: Timestamp, transactionID: UInt64)?

        var isBusy: Bool { sending != nil || done != nil }
        var hasRoom: Bool { mayHaveMore && next == nil && !isLeaving }
    }

    private let limits: ShardLimits
    private var shards: [Int16: Shard] = [:]
    private var lastEpoch: UInt64 = 0
    private(set) var members = 1

    /// The clocks of the server may be set back a little, and a row's time is taken just before its transaction's number.
    private static let slack = Duration.seconds(3600)
    /// How often an idle shard's cursor follows the time.
    private static let idlePeriod = Duration.seconds(300)

    init(_ limits: ShardLimits) {
        self.limits = limits
    }

    // MARK: Shards

    var epochs: [Int16: UInt64] { shards.mapValues(\.epoch) }
    var count: Int { shards.count }
    var openLanes: Int { shards.values.reduce(0) { $0 + $1.saved.lanes.count } }
    var hasAll: Bool { shards.count == RelayStatements.shards }
    /// Whether others have what would be this process's to publish.
    var lacksShards: Bool { shards.count < RelayStatements.shards / members }
    var isSending: Bool { shards.values.contains { $0.sending != nil } }
    var positions: [Int16: ShardPosition] { shards.mapValues(\.saved) }
    var publishedBefore: Timestamp? {
        let times = shards.values.map(\.publishedBefore)
        return times.contains(nil) ? nil : times.compactMap(\.self).min()
    }

    /// Shards beyond this process's share that nothing is under way of any more.
    var leaving: [Int16] { shards.filter { $0.value.isLeaving && !$0.value.isBusy }.keys.sorted() }

    /// A shard as the database says that this process holds it.
    struct Held {
        let shard: Int16
        /// Whether nobody else has had it, or moved its cursor, since it was last heard of.
        let isKept: Bool
        let position: ShardPosition
        let publishedBefore: Timestamp?
    }

    mutating func holds(_ held: [Held], among members: Int) {
        self.members = members
        // A server that lost its newest commits in a crash has the cursor where it was before.
        let kept = Set(held.filter { $0.isKept && shards[$0.shard]?.saved == $0.position }.map(\.shard))
        shards = shards.filter { kept.contains($0.key) }
        for held in held where shards[held.shard] == nil {
            lastEpoch += 1
            shards[held.shard] = Shard(
                epoch: lastEpoch, saved: held.position, publishedBefore: held.publishedBefore, ahead: held.position)
        }
        let most = (RelayStatements.shards + members - 1) / members
        for (index, shard) in shards.keys.sorted().enumerated() { shards[shard]?.isLeaving = index >= most }
    }

    mutating func loses(_ shard: Int16) { shards[shard] = nil }

    // MARK: Reading

    mutating func expectMore() {
        for shard in shards.keys { shards[shard]?.mayHaveMore = true }
    }

    /// Whether a shard waits for the database, or enough do with it: what one alone may have can wait while its page is
    /// with the broker, and goes with the others'.
    var isWorthATrip: Bool {
        let wanting = shards.values.filter(\.hasRoom)
        return wanting.contains { $0.sending == nil } || wanting.count > shards.count / 2
    }

    /// What there is room for.
    func readings() -> [ShardReading] {
        shards.filter(\.value.hasRoom)
            .sorted { $0.key < $1.key }
            .map { number, shard in
                let turns = Array(shard.ahead.lanes.filter { !$0.isClosed }.prefix(limits.lanes))
                return ShardReading(
                    shard: number, epoch: shard.epoch, from: shard.ahead, turns: turns,
                    laneLimit: limits.lane(of: turns.count, beside: shard.others))
            }
    }

    mutating func found(
        _ finding: ShardFinding, for reading: ShardReading, horizon: UInt64, begun: UInt64, at time: Timestamp
    ) {
        // What was to be read again meanwhile is read from elsewhere.
        guard var shard = shards[reading.shard], shard.epoch == reading.epoch, shard.ahead == reading.from else {
            return
        }
        let (events, after, isAtEnd) = reading.from.after(finding, limits, horizon: .before(horizon))
        shard.ahead = after
        shard.mayHaveMore = !isAtEnd
        shard.others = finding.main.count
        if !events.isEmpty {
            let page = Page(events: events, after: after)
            if shard.sending == nil { shard.sending = page } else { shard.next = page }
        } else if after != reading.from {
            if shard.sending == nil {
                shard.done = progress(of: &shard, reading.shard, to: after)
            } else {
                shard.sending?.after = after
            }
        } else if isAtEnd, !shard.isBusy, let mark = shard.mark, mark.transactionID <= horizon,
            time.duration(since: mark.time) > Self.idlePeriod
        {
            shard.ahead.main = max(after.main, .before(horizon))
            shard.done = progress(of: &shard, reading.shard, to: shard.ahead)
        }
        if shard.mark == nil { shard.mark = (time, begun) }
        shards[reading.shard] = shard
    }

    private func progress(
        of shard: inout Shard, _ number: Int16, to position: ShardPosition, letters: [DeadLetter] = []
    ) -> ShardProgress {
        if let mark = shard.mark, mark.transactionID <= position.floor.transactionID {
            shard.publishedBefore = mark.time.advanced(by: .zero - Self.slack)
            shard.mark = nil
        }
        return ShardProgress(
            shard: number, position: position, publishedBefore: shard.publishedBefore,
            letters: (shard.done?.letters ?? []) + letters)
    }

    // MARK: Sending

    /// The pages whose turn has come, each of them once.
    mutating func start() -> [Sending] {
        var starting: [Sending] = []
        for (number, shard) in shards.sorted(by: { $0.key < $1.key }) where !shard.isStarted {
            guard let page = shard.sending else { continue }
            shards[number]?.isStarted = true
            starting.append(Sending(shard: number, epoch: shard.epoch, events: page.events))
        }
        return starting
    }

    mutating func sent(_ number: Int16, _ epoch: UInt64, _ outcome: Outcome) {
        guard var shard = shards[number], shard.epoch == epoch, let page = shard.sending else { return }
        shard.isStarted = false
        switch outcome {
        case .taken(let refused):
            shard.done = progress(of: &shard, number, to: page.after, letters: refused)
            shard.sending = shard.next
            shard.next = nil
        case .stopped:
            shard.sending = nil
            shard.next = nil
            shard.ahead = shard.done?.position ?? shard.saved
            shard.others = 0
            // Whoever stopped it says when it goes on.
            shard.mayHaveMore = false
        }
        shards[number] = shard
    }

    // MARK: Saving

    func unsaved() -> [ShardProgress] { shards.values.compactMap(\.done).sorted { $0.shard < $1.shard } }

    mutating func saved(_ progress: [ShardProgress], kept: Set<Int16>) {
        for progress in progress {
            guard kept.contains(progress.shard) else {
                loses(progress.shard)
                continue
            }
            shards[progress.shard]?.saved = progress.position
            shards[progress.shard]?.done?.leaveOut(progress)
            if shards[progress.shard]?.done?.position == progress.position { shards[progress.shard]?.done = nil }
        }
    }
}
