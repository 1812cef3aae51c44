import Glibc
import Synchronization

/// One long-lived thread that tells descriptors' owners when they can read or write, and when their time is up.
///
/// Handlers and timers run on that thread, one after another, so they must be short and never block.
package final class Reactor: Sendable {
    package static let shared: Reactor = {
        do {
            return try Reactor(name: "reactor")
        } catch {
            fatalError("cannot start the reactor thread: \(error)")
        }
    }()

    private let epoll: Epoll
    private let waker: WakeDescriptor
    private let state = Mutex(State())

    private struct State: ~Copyable {
        var handlers: [UInt64: @Sendable (Readiness) -> Void] = [:]
        var nextToken: UInt64 = 1
        var timers = TimerQueue()
        /// When the thread will wake by itself, while it sleeps.
        var sleepsUntil: ContinuousClock.Instant?
        var isAsleep = false
        var isStopped = false
    }

    private static let wakeToken: UInt64 = 0

    package init(name: String) throws {
        epoll = try Epoll()
        waker = try WakeDescriptor()
        try epoll.add(waker.fd, token: Self.wakeToken, .read)
        try startThread(name: name) { [self] in loop() }
    }

    // The thread holds the reactor as long as it runs, and every registration does as long as it lives.
    deinit { epoll.close() }

    /// Ends the thread after the handlers that are running; what is registered is never called again.
    package func stop() {
        state.withLock { $0.isStopped = true }
        waker.signal()
    }

    /// Watches a duplicate of `fd`, so that its owner may close its own at any time; cancel the registration to let go.
    package func register(
        fd: Int32, interest: Readiness = .read, _ handler: @escaping @Sendable (Readiness) -> Void
    ) throws -> Registration {
        let duplicate = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        guard duplicate >= 0 else { throw SystemCallError("fcntl(F_DUPFD_CLOEXEC)") }
        let token = state.withLock { state in
            let token = state.nextToken
            state.nextToken += 1
            state.handlers[token] = handler
            return token
        }
        do {
            try epoll.add(duplicate, token: token, interest)
        } catch {
            forget(token)
            _ = close(duplicate)
            throw error
        }
        return Registration(reactor: self, fd: duplicate, token: token, interest: interest)
    }

    /// Runs `action` on the reactor's thread once `delay` has passed, unless the timer is cancelled.
    @discardableResult
    package func schedule(after delay: Duration, _ action: @escaping @Sendable () -> Void) -> Timer {
        schedule(at: .now.advanced(by: delay), action)
    }

    @discardableResult
    package func schedule(at instant: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> Timer {
        let timer = Timer(reactor: self, action)
        let mustWake = state.withLock { state in
            state.timers.insert(timer, at: instant)
            guard state.isAsleep else { return false }
            guard let wakes = state.sleepsUntil, wakes <= instant else {
                state.sleepsUntil = instant
                return true
            }
            return false
        }
        if mustWake { waker.signal() }
        return timer
    }

    fileprivate func modify(_ fd: Int32, token: UInt64, _ interest: Readiness) throws {
        try epoll.modify(fd, token: token, interest)
    }

    fileprivate func remove(_ fd: Int32, token: UInt64) {
        forget(token)
        epoll.remove(fd)
        _ = close(fd)
    }

    private func forget(_ token: UInt64) {
        // The closure is released outside the lock: what it holds may call back from a deinit.
        let handler = state.withLock { $0.handlers.removeValue(forKey: token) }
        _ = handler
    }

    func noteCancelledTimer() {
        let dropped = state.withLock { $0.timers.noteCancelled() }
        _ = dropped
    }

    private func loop() {
        var events = Epoll.Events()
        var due: [Timer] = []
        while true {
            let (stopped, wakes) = state.withLock { state in
                state.sleepsUntil = state.timers.earliest
                state.isAsleep = true
                return (state.isStopped, state.sleepsUntil)
            }
            if stopped { break }
            epoll.wait(milliseconds: milliseconds(until: wakes), into: &events)
            let now = ContinuousClock.now
            state.withLock { state in
                state.isAsleep = false
                state.timers.removeDue(at: now, into: &due)
            }
            for index in 0..<events.count {
                let (token, readiness) = events[index]
                if token == Self.wakeToken {
                    waker.clear()
                } else if let handler = state.withLock({ $0.handlers[token] }) {
                    handler(readiness)
                }
            }
            for timer in due { timer.fire() }
            due.removeAll(keepingCapacity: true)
        }
    }

    private func milliseconds(until instant: ContinuousClock.Instant?) -> Int32 {
        guard let instant else { return -1 }
        let (seconds, attoseconds) = ContinuousClock.now.duration(to: instant).components
        if seconds < 0 || attoseconds < 0 { return 0 }
        // Rounded up, or the thread would spin through the last fraction of the millisecond.
        return Int32(clamping: min(seconds, 86_400) * 1000 + attoseconds / 1_000_000_000_000_000 + 1)
    }
}

/// What a descriptor is ready for, or what its owner waits for.
package struct Readiness: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let read = Readiness(rawValue: 1)
    package static let write = Readiness(rawValue: 2)
}

extension Reactor {
    /// One watched descriptor; it stays watched until cancelled, whether or not anybody holds this.
    package final class Registration: Sendable {
        private let reactor: Reactor
        private let fd: Int32
        private let token: UInt64
        /// Nothing once cancelled.
        private let interest: Mutex<Readiness?>

        fileprivate init(reactor: Reactor, fd: Int32, token: UInt64, interest: Readiness) {
            self.reactor = reactor
            self.fd = fd
            self.token = token
            self.interest = Mutex(interest)
        }

        /// Costs nothing where the interest is what it was; does nothing after `cancel()`.
        package func update(interest wanted: Readiness) throws {
            try interest.withLock { interest in
                guard let current = interest, current != wanted else { return }
                try reactor.modify(fd, token: token, wanted)
                interest = wanted
            }
        }

        /// After this the handler is not called again, apart from a call that another thread is in already.
        package func cancel() {
            let wasActive = interest.withLock { interest in
                defer { interest = nil }
                return interest != nil
            }
            if wasActive { reactor.remove(fd, token: token) }
        }
    }
}
