import Foundation
import Synchronization
import Testing

@testable import Reactor

@Suite("The reactor")
struct ReactorTests {
    @Test("timers fire in the order of their times, whatever the order they were set in")
    func timers() async throws {
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        let (fired, continuation) = AsyncStream<Int>.makeStream()
        let base = ContinuousClock.now.advanced(by: .milliseconds(30))
        for number in (0..<50).shuffled() {
            reactor.schedule(at: base.advanced(by: .microseconds(number * 10))) { continuation.yield(number) }
        }
        var order: [Int] = []
        for await number in fired {
            order.append(number)
            if order.count == 50 { break }
        }
        #expect(order == Array(0..<50))
        #expect(ContinuousClock.now >= base)
    }

    @Test("a timer set while the thread sleeps towards a later one is in time")
    func earlierTimer() async throws {
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        reactor.schedule(after: .seconds(3600)) {}
        let start = ContinuousClock.now
        await withCheckedContinuation { continuation in
            reactor.schedule(after: .milliseconds(5)) { continuation.resume() }
        }
        #expect(ContinuousClock.now - start < .seconds(5))
    }

    @Test("a cancelled timer never fires, and many of them take no room")
    func cancelledTimers() async throws {
        var queue = TimerQueue()
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        let now = ContinuousClock.now
        var timers: [Reactor.Timer] = []
        for number in 0..<1000 {
            let timer = Reactor.Timer(reactor: reactor) {}
            queue.insert(timer, at: now.advanced(by: .seconds(number)))
            timers.append(timer)
        }
        for timer in timers.dropFirst(10) {
            timer.cancel()
            _ = queue.noteCancelled()
        }
        #expect(queue.count < 200)
        var due: [Reactor.Timer] = []
        queue.removeDue(at: now.advanced(by: .seconds(9)), into: &due)
        #expect(due.count == 10 && !due.contains(where: \.isCancelled))
    }

    @Test("a descriptor's owner is told when it can be read, until it cancels")
    func readiness() async throws {
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        let wake = try WakeDescriptor()
        let (stream, continuation) = AsyncStream<Readiness>.makeStream()
        let registration = try reactor.register(fd: wake.fd) { readiness in
            wake.clear()
            continuation.yield(readiness)
        }
        var turns = stream.makeAsyncIterator()
        for _ in 1...3 {
            wake.signal()
            #expect(await turns.next() == .read)
        }
        registration.cancel()
        registration.cancel()
        wake.signal()
        // Whatever the thread had to tell it has told before the timer.
        await withCheckedContinuation { done in reactor.schedule(after: .milliseconds(1)) { done.resume() } }
        continuation.finish()
        #expect(await turns.next() == nil)
    }

    @Test("writing is watched only while somebody wants to write")
    func interest() async throws {
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        let wake = try WakeDescriptor()
        let calls = AsyncStream<Readiness>.makeStream()
        let registration = try reactor.register(fd: wake.fd) { calls.continuation.yield($0) }
        var turns = calls.stream.makeAsyncIterator()
        try registration.update(interest: [.read, .write])
        #expect(await turns.next() == .write)
        registration.cancel()
        try registration.update(interest: .read)
    }

    @Test("an owner may close its descriptor, and another with the same number is not disturbed")
    func reuse() async throws {
        let reactor = try Reactor(name: "test")
        defer { reactor.stop() }
        var first: WakeDescriptor? = try WakeDescriptor()
        let number = first!.fd
        let old = try reactor.register(fd: number) { _ in }
        first = nil
        let second = try WakeDescriptor()
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let registration = try reactor.register(fd: second.fd) { _ in
            second.clear()
            continuation.yield()
        }
        old.cancel()
        second.signal()
        var turns = stream.makeAsyncIterator()
        #expect(await turns.next() != nil)
        registration.cancel()
    }

    @Test("calls that block run at once as far as there are threads, and all of them in the end")
    func blockingCalls() async throws {
        let calls = BlockingCalls(maximumThreads: 2)
        let gate = DispatchSemaphore(value: 0)
        let (stream, continuation) = AsyncStream<Int>.makeStream()
        for _ in 0..<2 { calls.run { gate.wait() } }
        for number in 0..<20 { calls.run { continuation.yield(number) } }
        for _ in 0..<2 { gate.signal() }
        var seen: Set<Int> = []
        for await number in stream {
            seen.insert(number)
            if seen.count == 20 { break }
        }
        #expect(seen == Set(0..<20))
    }
}
