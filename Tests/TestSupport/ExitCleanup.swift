import Foundation
import Synchronization

/// What is to be undone when the test process ends.
enum ExitCleanup {
    private static let actions = Mutex<[@Sendable () -> Void]>([])
    private static let registration: Void = {
        atexit {
            for action in ExitCleanup.actions.withLock({ $0 }).reversed() { action() }
        }
    }()

    static func add(_ action: @escaping @Sendable () -> Void) {
        _ = registration
        actions.withLock { $0.append(action) }
    }
}
