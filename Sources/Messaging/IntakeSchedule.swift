import Kafka

/// Decides which message is worked on next: of each key one at a time and in order, of different keys many, and of one
/// tenant never so many that there is no room for another's.
///
/// Pure; `IntakeQueue` runs it. A message goes from `add` by `next` to `finish`.
struct IntakeSchedule {
    struct Limits: Sendable {
        /// Messages that are worked on at the same time.
        var concurrency = 12
        /// The share of them that one tenant may take.
        var ofOneTenant = 9
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

    private let limits: Limits
    private var partitions: [TopicPartition: Partition] = [:]
    /// The messages of each key, the one that is worked on first.
    private var lanes: [Lane: Line<KafkaMessage>] = [:]
    /// Lanes whose first message may begin, by tenant.
    private var ready: [Tenant: Line<Lane>] = [:]
    /// Tenants with lanes that are ready, in the order of their turns.
    private var turns = Line<Tenant>()
    private var atWork: [Tenant: Int] = [:]
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
        let tenant = Self.tenant(of: message)
        if ready[tenant]?.isEmpty ?? true { turns.append(tenant) }
        ready[tenant, default: Line()].append(lane)
    }

    private static func tenant(of message: KafkaMessage) -> Tenant {
        message.headers.first { $0.name == CloudEventHeader.tenant }?.value
    }

    // MARK: Going

    /// The message whose turn it is, where there is room for one.
    mutating func next() -> KafkaMessage? {
        guard inFlight < limits.concurrency else { return nil }
        for _ in 0..<turns.count {
            guard let tenant = turns.popFirst() else { return nil }
            guard atWork[tenant, default: 0] < limits.ofOneTenant, let lane = ready[tenant]?.popFirst() else {
                turns.append(tenant)
                continue
            }
            if ready[tenant]?.isEmpty ?? true { ready[tenant] = nil } else { turns.append(tenant) }
            atWork[tenant, default: 0] += 1
            inFlight += 1
            return lanes[lane]?.first
        }
        return nil
    }

    /// - Parameter isDone: whether the message is dealt with; if not, the partition's mark never passes it.
    mutating func finish(_ message: KafkaMessage, isDone: Bool) -> Effect {
        let tenant = Self.tenant(of: message)
        inFlight -= 1
        atWork[tenant] = atWork[tenant].flatMap { $0 > 1 ? $0 - 1 : nil }
        let lane = Lane(message)
        _ = lanes[lane]?.popFirst()
        if let following = lanes[lane]?.first { makeReady(lane, following) } else { lanes[lane] = nil }
        let source = message.source
        guard partitions[source]?.epoch == message.position.epoch else { return Effect() }
        partitions[source]?.bytes -= message.value?.count ?? 0
        guard isDone else { return Effect() }
        var effect = Effect(store: partitions[source]?.mark.finish(message.offset))
        if let partition = partitions[source], partition.isPaused, partition.hasRoom(limits) {
            partitions[source]?.isPaused = false
            effect.turnsFlow = true
        }
        return effect
    }
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
