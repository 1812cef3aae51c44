import Foundation
import Synchronization

/// Stands between a client and the server, counts what goes over the wire, and can swallow all of it.
final class Proxy: Sendable {
    struct Counts: Equatable {
        /// How often the client spoke after the server had: round trips.
        var turns = 0
        /// How many segments of TCP the client's bytes came in: writes, as long as they are small.
        var writes = 0
    }

    private struct State: ~Copyable {
        var counts = Counts()
        var serverSpokeLast = true
        /// Connections up to this number lead nowhere.
        var swallowed = 0
        var accepted = 0
        var clients: Set<Int32> = []
        /// At which turn of the client all connections are cut, and whether the server hears of that turn.
        var cut: (turn: Int, afterServer: Bool)?
    }

    private let doors = NSCondition()
    /// Connections after this one are accepted, and led nowhere until they are let in.
    private let lastLetIn = Mutex(Int.max)

    let port: Int
    private let listener: Int32
    private let target: UInt16
    private let state = Mutex(State())

    init(to target: Int) throws {
        self.target = UInt16(target)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = loopback(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 64) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard isBound else { throw Missing(what: "a port for the proxy") }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [listener, self] in
            while case let client = accept(listener, nil, nil), client >= 0 { serve(client) }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        state.withLock { state in
            for client in state.clients { shutdown(client, Int32(SHUT_RDWR)) }
        }
    }

    var counts: Counts { state.withLock { $0.counts } }

    func reset() {
        state.withLock { state in
            state.counts = Counts()
            state.serverSpokeLast = true
        }
    }

    /// From now on the connections there are lead nowhere, in either direction, without being closed.
    func swallow() {
        state.withLock { $0.swallowed = $0.accepted }
    }

    /// From now on no connection leads anywhere.
    func swallowEverything() {
        state.withLock { $0.swallowed = .max }
    }

    /// Cuts every connection at the client's `turn`, counted from now: before the server gets what was said, or before
    /// the client gets the answer.
    func cut(atTurn turn: Int, afterServer: Bool) {
        state.withLock { state in
            state.counts = Counts()
            state.serverSpokeLast = true
            state.cut = (turn, afterServer)
        }
    }

    /// From now on new connections have to wait for `letIn()`.
    func holdNewcomers() {
        let accepted = state.withLock { $0.accepted }
        lastLetIn.withLock { $0 = accepted }
    }

    func letIn() {
        doors.lock()
        lastLetIn.withLock { $0 = .max }
        doors.broadcast()
        doors.unlock()
    }

    private func waitAtTheDoor(_ number: Int) {
        doors.lock()
        while lastLetIn.withLock({ $0 }) < number { doors.wait() }
        doors.unlock()
    }

    private func serve(_ client: Int32) {
        let number = state.withLock { state in
            state.accepted += 1
            state.clients.insert(client)
            return state.accepted
        }
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = loopback(port: target)
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                connect(server, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        Thread.detachNewThread { [self] in
            waitAtTheDoor(number)
            if isConnected { pump(number, client, server) }
            state.withLock { state in
                state.clients.remove(client)
                close(client)
            }
            close(server)
        }
    }

    private func pump(_ number: Int, _ client: Int32, _ server: Int32) {
        var seen = 0
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var waiting = [
            pollfd(fd: client, events: Int16(POLLIN), revents: 0),
            pollfd(fd: server, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&waiting, 2, -1) > 0 {
            for side in 0...1 where waiting[side].revents != 0 {
                let count = read(waiting[side].fd, &buffer, buffer.count)
                guard count > 0 else { return }
                let (isSwallowed, isCut) = state.withLock { state in
                    if side == 0 {
                        let segments = dataSegments(client)
                        state.counts.writes += segments - seen
                        seen = segments
                        if state.serverSpokeLast { state.counts.turns += 1 }
                    }
                    state.serverSpokeLast = side == 1
                    let isCut =
                        state.cut.map { state.counts.turns >= $0.turn && $0.afterServer == (side == 1) } ?? false
                    if isCut { state.cut = nil }
                    return (number <= state.swallowed, isCut)
                }
                if isCut { return }
                if !isSwallowed, send(waiting[1 - side].fd, buffer, count, Int32(MSG_NOSIGNAL)) < 0 { return }
            }
        }
    }
}

/// How many segments with data have come in: `tcpi_data_segs_in`, which the C library's `tcp_info` doesn't have.
private func dataSegments(_ socket: Int32) -> Int {
    var info = [UInt32](repeating: 0, count: 64)
    var length = socklen_t(256)
    getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &length)
    return Int(info[152 / 4])
}

private func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    address.sin_port = port.bigEndian
    return address
}
