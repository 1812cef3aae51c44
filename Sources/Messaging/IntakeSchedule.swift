import Kafka

/// Decides what is worked on next: of each key one message at a time and in order, of different keys many, and of one
/// tenant never so many that there is no room for another's. What one tenant has waiting for the same reaction may go
/// together, as one piece of work.
///
/// Pure; `IntakeQueue` runs it. A message goes from `add` by `next` to `finish`.
struct IntakeSchedule {
    struct Limits: Sendable {
        /// Pieces of work at the same time.
        var concurrency = 12
        /// The share of them that one tenant may take.
        var ofOneTenant = 9
        /// Messages in one piece of work.
        var together = 50
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

    /// Who may be worked on together: of one tenant, and dealt with in the same way.
    private struct Party: Hashable {
        let tenant: Tenant
        let companions: Companions?
    }

    private let limits: Limits
    private let companions: @Sendable (KafkaMessage) -> Companions?
    private var partitions: [TopicPartition: Partition] = [:]
    /// The messages of each key, the one that is worked on first.
    private var lanes: [Lane: Line<KafkaMessage>] = [:]
    /// Lanes whose first message is to be worked on alone, since it could not be together with others.
    private var alone: Set<Lane> = []
    /// Lanes whose first message may begin.
    private var ready: [Party: Line<Lane>] = [:]
    /// Those with lanes that are ready, in the order of their turns.
    private var turns = Line<Party>()
    private var atWork: [Tenant: Int] = [:]
    private var pieces = 0
    /// Messages that are worked on.
    private(set) var inFlight = 0

    /// As the message says, which nobody has checked yet.
    private typealias Tenant = [UInt8]?

    /// - Parameter companions: what a message has in common with those that it may be worked on with; nothing where it
    ///   is worked on alone.
    init(_ limits: Limits, companions: @escaping @Sendable (KafkaMessage) -> Companions? = { _ in nil }) {
        self.limits = limits
        self.companions = companions
    }

    /// Whether the partition is to be paused, and under which assignment that was decided.
    func flow(of source: TopicPartition) -> (isPaused: Bool, epoch: UInt64)? {
        partitions[source].map { ($0.isPaused, $0.epoch) }
    }

    /// Read, and not finished.
    var waiting: Int { lanes.values.reduce(0) { $0 + $1.count } }

    // MARK: Coming

    mutating func add(_ message: KafkaMessage) -> Effect {
        let source = message.source
        if partitions[source].map({ $0.epoch != message.position.epoch }) ?? true {
            partitions[source] = Partition(epoch: message.position.epoch)
        }
        partitions[source]?.mark.begin(message.offset, message.position)
        partitions[source]?.bytes += message.value?.count ?? 0
        let lane = Lane(message)
        lanes[lane, default: Line()].append(message)
        if lanes[lane]?.count == 1 { makeReady(lane, message) }
        guard let partition = partitions[source], !partition.isPaused, partition.isFull(limits) else {
            return Effect()
        }
        partitions[source]?.isPaused = true
        return Effect(turnsFlow: true)
    }

    private mutating func makeReady(_ lane: Lane, _ message: KafkaMessage) {
        let party = Party(
            tenant: Self.tenant(of: message), companions: alone.contains(lane) ? nil : companions(message))
        if ready[party]?.isEmpty ?? true { turns.append(party) }
        ready[party, default: Line()].append(lane)
    }

    private static func tenant(of message: KafkaMessage) -> Tenant {
        message.headers.first { $0.name == CloudEventHeader.tenant }?.value
    }

    // MARK: Going

    /// The messages whose turn it is, where there is room for a piece of work.
    mutating func next() -> [KafkaMessage]? {
        guard pieces < limits.concurrency else { return nil }
        for _ in 0..<turns.count {
            guard let party = turns.popFirst() else { return nil }
            guard atWork[party.tenant, default: 0] < limits.ofOneTenant else {
                turns.append(party)
                continue
            }
            let most = party.companions == nil ? 1 : limits.together
            var messages: [KafkaMessage] = []
            while messages.count < most, let lane = ready[party]?.popFirst() {
                if let message = lanes[lane]?.first { messages.append(message) }
            }
            if ready[party]?.isEmpty ?? true { ready[party] = nil } else { turns.append(party) }
            guard !messages.isEmpty else { continue }
            atWork[party.tenant, default: 0] += 1
            pieces += 1
            inFlight += messages.count
            return messages
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

    /// Ends a piece of work as `next` gave it out; answers an effect for each message.
    mutating func finish(_ work: [KafkaMessage], _ verdicts: [Verdict]) -> [Effect] {
        guard let first = work.first else { return [] }
        let tenant = Self.tenant(of: first)
        pieces -= 1
        inFlight -= work.count
        atWork[tenant] = atWork[tenant].flatMap { $0 > 1 ? $0 - 1 : nil }
        return zip(work, verdicts).map { finish($0, $1) }
    }

    private mutating func finish(_ message: KafkaMessage, _ verdict: Verdict) -> Effect {
        let lane = Lane(message)
        guard verdict != .alone else {
            alone.insert(lane)
            makeReady(lane, message)
            return Effect()
        }
        alone.remove(lane)
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
