/// Wakes a relay: many nudges while it is busy are one.
package struct RelaySignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    package func nudge() {
        continuation.yield()
    }

    /// For the one relay that the signal belongs to; ends when the task is cancelled.
    var nudges: AsyncStream<Void> { stream }
}
