import Glibc
import Synchronization

/// A few threads for C calls that block, such as name look-ups, away from the reactor and from Swift's own threads.
package final class BlockingCalls: Sendable {
    package static let shared = BlockingCalls(maximumThreads: 4)

    private struct State: ~Copyable {
        var waiting: [@Sendable () -> Void] = []
        var threads = 0
        var idle = 0
    }

    private let state = Mutex(State())
    private let maximumThreads: Int
    private let wakeups: Semaphore

    package init(maximumThreads: Int) {
        self.maximumThreads = maximumThreads
        wakeups = Semaphore()
    }

    /// Runs `call` on one of the threads, in the order of arrival.
    package func run(_ call: @escaping @Sendable () -> Void) {
        let mustStart = state.withLock { state in
            state.waiting.append(call)
            guard state.waiting.count > state.idle, state.threads < maximumThreads else { return false }
            state.threads += 1
            return true
        }
        if mustStart {
            do {
                try startThread(name: "blocking-calls") { [self] in loop() }
            } catch {
                // The threads that there are will come to it; where there is none, the caller's has to do.
                let stranded = state.withLock { state in
                    state.threads -= 1
                    return state.threads == 0 ? state.waiting.removeFirst() : nil
                }
                stranded?()
                if stranded != nil { return }
            }
        }
        wakeups.signal()
    }

    private func loop() {
        while true {
            state.withLock { $0.idle += 1 }
            wakeups.wait()
            let call = state.withLock { state in
                state.idle -= 1
                return state.waiting.isEmpty ? nil : state.waiting.removeFirst()
            }
            call?()
        }
    }
}

/// A POSIX semaphore at an address that stays the same.
///
/// `@unchecked` because the memory is raw: the C library makes `sem_post` and `sem_wait` safe from any thread.
private final class Semaphore: @unchecked Sendable {
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}

/// Starts a detached thread.
func startThread(name: String, _ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
    final class Box: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    let box = Unmanaged.passRetained(Box(name, body))
    var thread = pthread_t()
    // Runs on the new thread, which takes over the reference.
    let failure = pthread_create(
        &thread, nil,
        { argument in
            let box = Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
            _ = setThreadName(pthread_self(), box.name)
            box.body()
            return nil
        }, box.toOpaque())
    guard failure == 0 else {
        box.release()
        errno = failure
        throw SystemCallError("pthread_create")
    }
    pthread_detach(thread)
}

private let setThreadName: @convention(c) (pthread_t, UnsafePointer<CChar>) -> Int32 = symbol("pthread_setname_np")
