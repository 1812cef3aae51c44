import Synchronization
package import Tenancy

/// Wakes one context's relays: many nudges for a database while its relay is busy are one.
package final class RelaySignal: Sendable {
    /// Why an outbox is to be looked at.
    package struct Reason: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// This process has committed, which others don't know yet.
        package static let ownCommit = Reason(rawValue: 1)
        /// Another process has let go of shards.
        package static let vacancy = Reason(rawValue: 2)
    }

    private let pending = Mutex<[DatabaseID: Reason]>([:])
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func nudge(_ database: DatabaseID, because reason: Reason = .ownCommit) {
        let isNew = pending.withLock { pending in
            let known = pending[database]
            pending[database] = (known ?? []).union(reason)
            return known == nil
        }
        if isNew { continuation.yield() }
    }

    /// For the one who passes nudges on; ends when the task is cancelled.
    var nudges: AsyncStream<Void> { stream }

    func takeNudged() -> [DatabaseID: Reason] {
        pending.withLock { pending in
            defer { pending = [:] }
            return pending
        }
    }
}
