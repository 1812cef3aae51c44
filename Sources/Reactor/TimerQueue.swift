import Synchronization

extension Reactor {
    /// One action in the future; it runs once or never.
    package final class Timer: Sendable {
        private let reactor: Reactor
        private let action: Mutex<(@Sendable () -> Void)?>

        init(reactor: Reactor, _ action: @escaping @Sendable () -> Void) {
            self.reactor = reactor
            self.action = Mutex(action)
        }

        /// After this the action does not start, though it may be running already.
        package func cancel() {
            let action = take()
            if action != nil { reactor.noteCancelledTimer() }
        }

        var isCancelled: Bool { action.withLock { $0 == nil } }

        func fire() {
            take()?()
        }

        private func take() -> (@Sendable () -> Void)? {
            action.withLock { action in
                defer { action = nil }
                return action
            }
        }
    }
}

/// Timers by their time: a binary heap that cancelled timers leave later, in bulk.
struct TimerQueue: ~Copyable {
    private struct Entry {
        let instant: ContinuousClock.Instant
        let timer: Reactor.Timer
    }

    private var heap: [Entry] = []
    private var cancelled = 0

    var earliest: ContinuousClock.Instant? { heap.first?.instant }
    var count: Int { heap.count }

    mutating func insert(_ timer: Reactor.Timer, at instant: ContinuousClock.Instant) {
        heap.append(Entry(instant: instant, timer: timer))
        siftUp(from: heap.count - 1)
    }

    mutating func removeDue(at now: ContinuousClock.Instant, into due: inout [Reactor.Timer]) {
        while let first = heap.first, first.instant <= now {
            due.append(first.timer)
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
            siftDown(from: 0)
        }
    }

    /// Returns the timers it dropped, to be released where no lock is held.
    mutating func noteCancelled() -> [Reactor.Timer] {
        cancelled += 1
        guard cancelled > 64, cancelled > heap.count / 2 else { return [] }
        cancelled = 0
        let dropped = heap.filter(\.timer.isCancelled).map(\.timer)
        heap.removeAll(where: \.timer.isCancelled)
        for index in stride(from: heap.count / 2, through: 0, by: -1) { siftDown(from: index) }
        return dropped
    }

    private mutating func siftUp(from start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].instant < heap[parent].instant else { return }
            heap.swapAt(index, parent)
            index = parent
        }
    }

    private mutating func siftDown(from start: Int) {
        var index = start
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < heap.count {
                if heap[child].instant < heap[smallest].instant { smallest = child }
            }
            guard smallest != index else { return }
            heap.swapAt(index, smallest)
            index = smallest
        }
    }
}
