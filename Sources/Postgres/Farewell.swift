import Glibc
import Reactor
import Synchronization

/// Waits for the server to end its side of a connection that was closed on this side.
///
/// The socket that libpq closes stays open through the duplicate that is held here, so the end of the server's process
/// can be seen; by then it no longer stands in `pg_stat_activity`.
final class Farewell: Sendable {
    /// The server may be busy with a long statement, or out of reach.
    static let patience = Duration.seconds(1)

    private struct State: ~Copyable {
        var registration: Reactor.Registration?
        var timer: Reactor.Timer?
        /// Nothing once it was called.
        var ended: (@Sendable () -> Void)?
    }

    private let descriptor: Int32
    private let reactor: Reactor
    private let state: Mutex<State>

    /// Call this before libpq closes the socket, and `begin()` afterwards.
    init?(_ socket: Int32, reactor: Reactor, _ ended: @escaping @Sendable () -> Void) {
        descriptor = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        self.reactor = reactor
        state = Mutex(State(ended: ended))
        if descriptor < 0 { return nil }
    }

    deinit { _ = close(descriptor) }

    func begin() {
        let timer = reactor.schedule(after: Self.patience) { [self] in finish() }
        state.withLock { $0.timer = timer }
        do {
            let registration = try reactor.register(fd: descriptor) { [self] _ in read() }
            let isLate = state.withLock { state in
                state.registration = registration
                return state.ended == nil
            }
            if isLate { registration.cancel() }
        } catch {
            finish()
        }
    }

    /// What the server still had to say is of no interest.
    private func read() {
        let isOpen = withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            while true {
                let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 || (count < 0 && errno == EINTR) { continue }
                return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)
            }
        }
        if !isOpen { finish() }
    }

    private func finish() {
        let ended = state.withLock { state in
            state.registration?.cancel()
            state.registration = nil
            state.timer?.cancel()
            state.timer = nil
            defer { state.ended = nil }
            return state.ended
        }
        ended?()
    }
}
