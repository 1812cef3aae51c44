import Dispatch
import Foundation
import Synchronization

/// The one thread that starts programs.
///
/// The kernel sends a death signal when the *thread* that forked ends, not the process, so programs must not be started
/// from a pool's thread, which may end at any time. This one lives as long as the process.
final class LaunchThread: Sendable {
    static let shared = LaunchThread()

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let arrived = DispatchSemaphore(value: 0)

    private init() {
        Thread.detachNewThread { [self] in
            while true {
                arrived.wait()
                let job = jobs.withLock { $0.removeFirst() }
                job()
            }
        }
    }

    func run<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            jobs.withLock { jobs in
                jobs.append { continuation.resume(with: Result { try body() }) }
            }
            arrived.signal()
        }
    }
}
