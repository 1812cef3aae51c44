import Kafka

/// Decides what is worked on next: of each key one message at a time and in order, of different keys many, and of one
/// tenant never so many that there is no room for another's. What one tenant has waiting for the same reaction may go
/// together, as one piece of work, and so may what nobody reacts to.
///
/// Pure; `IntakeQueue` runs it. A message goes from `add` by `next` to `finish`, and back to `next` where it has to be
/// worked on alone.
struct IntakeSchedule {
    struct Limits: Sendable {
        /// Pieces of work at the same time.
        var concurrency = 12
        /// The share of them that one tenant may take.
        var ofOneTenant = 9
        /// Messages in one piece of work.
        var together = 50
        /// The same in bytes; the first message is taken however large it is.
        var togetherBytes = 1 << 20
        /// Pieces of one tenant for the same reaction: while they are worked on, more gathers for the next. A second one
        /// goes on where the first has to wait.
        var ofOneParty = 2
        /// Messages of one partition that were read and are not below its watermark, before no more are read.
        var window = 2000
        /// The same in bytes of those that wait.
        var windowBytes = 16 << 20
    }

    /// What is to be done about a partition after a message has come or gone.
    struct Effect: Equatable {
        /// Up to where everything is finished.
        var store: MessagePosition?
        /// Whether the partition is to be paused, or no longer.
        var turnsFlow = false
    }

    private struct Lane: Hashable {
        let source: TopicPartition
        let key: [UInt8]?
        /// Messages without a key have no order to keep.
        let offset: Int64

        init(_ message: KafkaMessage) {
            source = message.source
            key = message.key
            offset = message.key == nil ? message.offset : -1
        }
    }

    private struct Partition {
        var epoch: UInt64
        var mark = Watermark<MessagePosition>()
        var bytes = 0
        var isPaused = false

        func isFull(_ limits: Limits) -> Bool { mark.count >= limits.window || bytes >= limits.windowBytes }
        func hasRoom(_ limits: Limits) -> Bool { mark.count <= limits.window / 2 && bytes <= limits.windowBytes / 2 }
    }

    private struct Waiting {
        let message: KafkaMessage
        var companions: Companions?
    }

    /// Lanes of one tenant whose first message may begin, by what they may be worked on with.
    private struct Ready {
        var turns = Line<Companions?>()
        var lanes: [Companions?: Line<Lane>] = [:]
        /// Pieces at work.
        var pieces = 0
        var parties: [Companions: Int] = [:]

        mutating func hasEnded(_ piece: Piece) {
            pieces -= 1
            guard let companions = piece.companions, let count = parties[companions] else { return }
            parties[companions] = count > 1 ? count - 1 : nil
        }

        mutating func append(_ lane: Lane, _ companions: Companions?) {
            if lanes[companions]?.isEmpty ?? true { turns.append(companions) }
            lanes[companions, default: Line()].append(lane)
        }
    }

    private let limits: Limits
    private var partitions: [TopicPartition: Partition] = [:]
    /// The messages of each key, the one that is worked on first.
    private var lanes: [Lane: Line<Waiting>] = [:]
    private var tenants: [Tenant: Ready] = [:]
    /// Tenants with lanes that are ready, in the order of their turns.
    private var turns = Line<Tenant>()
    private var pieces = 0
    /// Messages that are worked on.
    private(set) var inFlight = 0

    /// As the message says, which nobody has checked yet.
    private typealias Tenant = [UInt8]?

    init(_ limits: Limits) {
        self.limits = limits
    }

    /// Whether the partition is to be paused, and under which assignment that was decided.
    func flow(of source: TopicPartition) -> (isPaused: Bool, epoch: UInt64)? {
        partitions[source].map { ($0.isPaused, $0.epoch) }
    }

    /// Read, and not finished.
    var waiting: Int { lanes.values.reduce(0) { $0 + $1.count } }

    // MARK: Coming

    mutating func add(_ message: KafkaMessage, _ companions: Companions? = nil) -> Effect {
        let source = message.source
        if partitions[source].map({ $0.epoch != message.position.epoch }) ?? true {
            partitions[source] = Partition(epoch: message.position.epoch)
        }
        partitions[source]?.mark.begin(message.offset, message.position)
        partitions[source]?.bytes += message.value?.count ?? 0
        let lane = Lane(message)
        let waiting = Waiting(message: message, companions: companions)
        lanes[lane, default: Line()].append(waiting)
        if lanes[lane]?.count == 1 { makeReady(lane, waiting) }
        guard let partition = partitions[source], !partition.isPaused, partition.isFull(limits) else {
            return Effect()
        }
        partitions[source]?.isPaused = true
        return Effect(turnsFlow: true)
    }

    private mutating func makeReady(_ lane: Lane, _ waiting: Waiting) {
        let tenant = Self.tenant(of: waiting.message)
        if tenants[tenant]?.turns.isEmpty ?? true { turns.append(tenant) }
        tenants[tenant, default: Ready()].append(lane, waiting.companions)
    }

    private static func tenant(of message: KafkaMessage) -> Tenant {
        message.headers.first { $0.name == CloudEventHeader.tenant }?.value
    }

    // MARK: Going

    /// The messages whose turn it is, where there is room for a piece of work.
    mutating func next() -> Piece? {
        guard pieces < limits.concurrency else { return nil }
        for _ in 0..<turns.count {
            guard let tenant = turns.popFirst(), var ready = tenants[tenant] else { continue }
            let piece = ready.pieces < limits.ofOneTenant ? take(from: &ready) : nil
            if !ready.turns.isEmpty { turns.append(tenant) }
            if let piece {
                ready.pieces += 1
                pieces += 1
                inFlight += piece.messages.count
            }
            tenants[tenant] = ready
            if let piece { return piece }
        }
        return nil
    }

    private func take(from ready: inout Ready) -> Piece? {
        for _ in 0..<ready.turns.count {
            guard let companions = ready.turns.popFirst() else { return nil }
            if let companions, ready.parties[companions, default: 0] >= limits.ofOneParty {
                ready.turns.append(companions)
                continue
            }
            var messages: [KafkaMessage] = []
            var bytes = 0
            while let lane = ready.lanes[companions]?.first, let message = lanes[lane]?.first?.message {
                bytes += message.value?.count ?? 0
                let isOne = messages.isEmpty
                guard isOne || companions != nil && messages.count < limits.together && bytes <= limits.togetherBytes
                else { break }
                messages.append(message)
                _ = ready.lanes[companions]?.popFirst()
            }
            if ready.lanes[companions]?.isEmpty ?? true {
                ready.lanes[companions] = nil
            } else {
                ready.turns.append(companions)
            }
            if let companions { ready.parties[companions, default: 0] += 1 }
            return Piece(messages: messages, companions: companions)
        }
        return nil
    }

    /// What became of a message.
    enum Verdict: Sendable {
        case done
        /// The partition's mark never passes it.
        case undone
        /// It has to be worked on once more, and alone.
        case alone
    }

    /// Ends a piece of work; answers an effect for each of its messages.
    mutating func finish(_ piece: Piece, _ verdicts: [Verdict]) -> [Effect] {
        guard let first = piece.messages.first else { return [] }
        let tenant = Self.tenant(of: first)
        pieces -= 1
        inFlight -= piece.messages.count
        tenants[tenant]?.hasEnded(piece)
        let effects = zip(piece.messages, verdicts).map { finish($0, $1) }
        if let ready = tenants[tenant], ready.pieces == 0, ready.turns.isEmpty { tenants[tenant] = nil }
        return effects
    }

    private mutating func finish(_ message: KafkaMessage, _ verdict: Verdict) -> Effect {
        let lane = Lane(message)
        guard verdict != .alone else {
            makeReady(lane, Waiting(message: message, companions: nil))
            return Effect()
        }
        _ = lanes[lane]?.popFirst()
        if let following = lanes[lane]?.first { makeReady(lane, following) } else { lanes[lane] = nil }
        let source = message.source
        guard partitions[source]?.epoch == message.position.epoch else { return Effect() }
        partitions[source]?.bytes -= message.value?.count ?? 0
        guard verdict == .done else { return Effect() }
        var effect = Effect(store: partitions[source]?.mark.finish(message.offset))
        if let partition = partitions[source], partition.isPaused, partition.hasRoom(limits) {
            partitions[source]?.isPaused = false
            effect.turnsFlow = true
        }
        return effect
    }
}

/// What is worked on at once, in one place of the consumer's.
struct Piece: Sendable {
    let messages: [KafkaMessage]
    let companions: Companions?
}

/// What messages have in common that may be worked on together.
enum Companions: Hashable, Sendable {
    /// Nobody here reacts to them.
    case passingBy
    case reaction(String)
}

/// First in, first out.
struct Line<Element> {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[head]
        head += 1
        if head > 64, head * 2 > elements.count {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }
}
