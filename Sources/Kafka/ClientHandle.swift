import CRDKafka
import Reactor
import Synchronization

/// Owns one `rd_kafka_t` with its queues, and lends them; its extensions are all that sees them.
///
/// `@unchecked` because of the C pointers: librdkafka takes calls from any thread until the handle is destroyed, which
/// happens only when nobody borrows it any more.
final class ClientHandle: @unchecked Sendable {
    enum Kind {
        case producer
        /// Its group gives it partitions.
        case consumer
        /// It takes the partitions that it wants.
        case reader
    }

    /// Valid inside the closure it is lent to. `@unchecked` for the same pointers.
    struct Lent: @unchecked Sendable {
        let client: OpaquePointer
        /// Delivery reports, rebalances, errors and log lines.
        let events: OpaquePointer
        /// What a consumer's partitions deliver; the same as `events` in other clients.
        let messages: OpaquePointer
        /// The handles of topics that have been produced to.
        let topics: TopicHandles
    }

    private struct Use {
        enum Phase {
            case open
            /// Waits for borrowers; goes to `destroying`.
            case closing
            /// Goes to `destroyed`.
            case destroying
            case destroyed
        }

        var phase = Phase.open
        var borrowers = 0
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    let kind: Kind
    private let lent: Lent
    private let eventsWake: WakeDescriptor
    private let messagesWake: WakeDescriptor?
    private let use = Mutex(Use())
    private let registrations = Mutex<[Reactor.Registration]>([])

    /// Starts librdkafka's threads, so it does not belong on a thread that must not block.
    init(_ kind: Kind, properties: [String: String]) throws {
        let eventsWake = try WakeDescriptor()
        let messagesWake = kind == .producer ? nil : try WakeDescriptor()
        let client = try makeClient(kind, properties)
        let queues = openQueues(of: client, kind)
        rd_kafka_set_log_queue(client, queues.events)
        self.kind = kind
        self.eventsWake = eventsWake
        self.messagesWake = messagesWake
        lent = Lent(client: client, events: queues.events, messages: queues.messages, topics: TopicHandles())
    }

    deinit {
        if use.withLock({ $0.phase == .open }) {
            for registration in registrations.withLock({ $0 }) { registration.cancel() }
            BlockingCalls.shared.run { [lent, eventsWake, messagesWake] in
                destroy(lent, eventsWake, messagesWake)
            }
        }
    }

    /// Calls back on the reactor's thread when a queue that was empty has something to read, and once at the start.
    func watch(events: @escaping @Sendable () -> Void, messages: (@Sendable () -> Void)? = nil) throws {
        try lend { lent in
            try watch(eventsWake, of: lent.events, events)
            if let messagesWake, let messages { try watch(messagesWake, of: lent.messages, messages) }
        }
    }

    private func watch(_ wake: WakeDescriptor, of queue: OpaquePointer, _ body: @escaping @Sendable () -> Void) throws {
        let registration = try Reactor.shared.register(fd: wake.fd) { _ in
            wake.clear()
            body()
        }
        registrations.withLock { $0.append(registration) }
        withUnsafeBytes(of: WakeDescriptor.payload) {
            rd_kafka_queue_io_event_enable(queue, wake.fd, $0.baseAddress, $0.count)
        }
        // What was queued before has woken nobody.
        wake.signal()
    }

    /// Nil once the handle is being closed.
    func lend<Result>(_ body: (Lent) throws -> Result) rethrows -> Result? {
        let isOpen = use.withLock { use in
            guard use.phase == .open else { return false }
            use.borrowers += 1
            return true
        }
        guard isOpen else { return nil }
        defer { giveBack() }
        return try body(lent)
    }

    private func giveBack() {
        let mustDestroy = use.withLock { use in
            use.borrowers -= 1
            guard use.phase == .closing, use.borrowers == 0 else { return false }
            use.phase = .destroying
            return true
        }
        if mustDestroy { startDestroying() }
    }

    /// Returns when librdkafka's threads have ended. A consumer does not leave its group by this.
    func close() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            enum Action { case resume, destroy, wait }
            let action = use.withLock { use -> Action in
                switch use.phase {
                case .open:
                    use.closers.append(continuation)
                    use.phase = use.borrowers == 0 ? .destroying : .closing
                    return use.borrowers == 0 ? .destroy : .wait
                case .closing, .destroying:
                    use.closers.append(continuation)
                    return .wait
                case .destroyed:
                    return .resume
                }
            }
            switch action {
            case .resume: continuation.resume()
            case .destroy: startDestroying()
            case .wait: break
            }
        }
    }

    /// The same without waiting: librdkafka's threads may take as long as their broker is away.
    func beginClosing() {
        let mustDestroy = use.withLock { use in
            guard use.phase == .open else { return false }
            use.phase = use.borrowers == 0 ? .destroying : .closing
            return use.borrowers == 0
        }
        if mustDestroy { startDestroying() }
    }

    private func startDestroying() {
        for registration in registrations.withLock({ $0 }) { registration.cancel() }
        BlockingCalls.shared.run { [self] in
            destroy(lent, eventsWake, messagesWake)
            let closers = use.withLock { use in
                use.phase = .destroyed
                return use.closers
            }
            for closer in closers { closer.resume() }
        }
    }
}

/// Topic handles by name, so that a record does not cost librdkafka a look-up; they live as long as the client.
final class TopicHandles: Sendable {
    /// `@unchecked` because librdkafka takes calls with a topic handle from any thread.
    private struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private let handles = Mutex<[String: Handle]>([:])

    func handle(_ name: String, of client: OpaquePointer) -> OpaquePointer? {
        if let handle = handles.withLock({ $0[name] }) { return handle.pointer }
        // A C string would end at the NUL and name another topic.
        guard !name.isEmpty, !name.utf8.contains(0) else { return nil }
        guard let made = rd_kafka_topic_new(client, name, nil) else { return nil }
        let handle = Handle(pointer: made)
        let known = handles.withLock { handles -> Handle? in
            if let known = handles[name] { return known }
            handles[name] = handle
            return nil
        }
        guard let known else { return made }
        rd_kafka_topic_destroy(made)
        return known.pointer
    }

    fileprivate func destroy() {
        let all = handles.withLock { handles in
            defer { handles = [:] }
            return Array(handles.values)
        }
        for handle in all { rd_kafka_topic_destroy(handle.pointer) }
    }
}

private func makeClient(_ kind: ClientHandle.Kind, _ properties: [String: String]) throws(KafkaError) -> OpaquePointer {
    var reason = [CChar](repeating: 0, count: 512)
    func explanation() -> String {
        String(decoding: reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    let configuration = rd_kafka_conf_new()
    for (name, value) in properties
    where rd_kafka_conf_set(configuration, name, value, &reason, reason.count) != RD_KAFKA_CONF_OK {
        rd_kafka_conf_destroy(configuration)
        throw KafkaError(.badConfiguration, "\(name): \(explanation())")
    }
    rd_kafka_conf_set_events(
        configuration,
        RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_LOG | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_REBALANCE
            | RD_KAFKA_EVENT_OFFSET_COMMIT)
    let type = kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER
    guard let client = rd_kafka_new(type, configuration, &reason, reason.count) else {
        rd_kafka_conf_destroy(configuration)
        throw KafkaError(.badConfiguration, explanation())
    }
    return client
}

private func openQueues(
    of client: OpaquePointer, _ kind: ClientHandle.Kind
) -> (events: OpaquePointer, messages: OpaquePointer) {
    let main = rd_kafka_queue_get_main(client)!
    if kind == .producer { return (main, main) }
    // A rebalance must not wait behind messages that nobody has read yet, so the two have queues of their own: each
    // partition is turned to `messages` as it is assigned.
    let events = rd_kafka_queue_new(client)!
    let messages = rd_kafka_queue_new(client)!
    // Without a group there are no rebalances, and partitions deliver to the consumer's queue by themselves: turning each
    // to `messages` would not outlast its being assigned anew.
    let consumer = rd_kafka_queue_get_consumer(client)!
    rd_kafka_queue_forward(consumer, kind == .reader ? messages : events)
    rd_kafka_queue_destroy(consumer)
    rd_kafka_queue_forward(main, events)
    rd_kafka_queue_destroy(main)
    return (events, messages)
}

/// Blocks until librdkafka's threads have ended; keeps the descriptors open until then, since they write to them.
private func destroy(_ lent: ClientHandle.Lent, _ eventsWake: WakeDescriptor, _ messagesWake: WakeDescriptor?) {
    withExtendedLifetime((eventsWake, messagesWake)) {
        lent.topics.destroy()
        for queue in Set([lent.events, lent.messages]) {
            rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
            rd_kafka_queue_destroy(queue)
        }
        rd_kafka_destroy_flags(lent.client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    }
}
