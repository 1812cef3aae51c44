import Synchronization
package import Tenancy

/// Wakes one context's relays: many nudges for a database while its relay is busy are one.
package final class RelaySignal: Sendable {
    private let pending = Mutex<Set<DatabaseID>>([])
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func nudge(_ database: DatabaseID) {
        let isNew = pending.withLock { $0.insert(database).inserted }
        if isNew { continuation.yield() }
    }

    /// For the one who passes nudges on; ends when the task is cancelled.
    var nudges: AsyncStream<Void> { stream }

    func takeNudged() -> Set<DatabaseID> {
        pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
    }
}
