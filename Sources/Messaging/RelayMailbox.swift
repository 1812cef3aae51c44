import Postgres
import Synchronization

/// What a relay has to attend to. What comes while it is busy is taken together.
final class RelayMailbox: Sendable {
    enum Letter: Sendable {
        case visit(RelaySignal.Reason)
        /// What the database was asked last.
        case answered(Result<[Rows], any Error>)
        case sent(shard: Int16, epoch: UInt64, RelayBooks.Outcome)
        /// A time that it had set is over.
        case time(RelayTimer)
    }

    private let letters = Mutex<[Letter]>([])
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func post(_ letter: Letter) {
        letters.withLock { $0.append(letter) }
        continuation.yield()
    }

    /// Ends when the task is cancelled or nothing more will come.
    var wakes: AsyncStream<Void> { stream }

    func take() -> [Letter] {
        letters.withLock { letters in
            defer { letters = [] }
            return letters
        }
    }

    func finish() { continuation.finish() }
}

/// What a relay waits for by the clock; one of each at a time.
enum RelayTimer: Hashable, Sendable {
    /// The lease is to be renewed.
    case renewal
    /// An outbox that was just looked at may be looked at again.
    case pace
    /// Cursors are to be saved, though nothing is to be read.
    case saving
    /// A transaction that holds events back may have ended.
    case settling
    /// Something failed and is to be tried again.
    case again
}
