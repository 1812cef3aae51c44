import Foundation
import Synchronization

/// Collects log lines, and writes them from one thread of its own, so that nobody who logs waits for the disk.
///
/// Lines come out in the order of `write`, whole. What a stuck reader leaves no room for is dropped and counted.
package final class LogSink: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var dropped = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    /// Held while bytes go out, so that `flush` returns only when they are out.
    private let output = Mutex<[UInt8]>([])
    private let wake = DispatchSemaphore(value: 0)
    private let descriptor: Int32
    private let capacity: Int

    /// `capacity` is the number of bytes that may wait.
    package init(descriptor: Int32 = STDERR_FILENO, capacity: Int = 8 << 20) {
        self.descriptor = descriptor
        self.capacity = capacity
        let thread = Thread { [self] in drain() }
        thread.name = "log"
        thread.start()
    }

    package func write(_ line: [UInt8]) {
        let wasEmpty = state.withLock { state in
            guard state.pending.count + line.count <= capacity else {
                state.dropped += 1
                return false
            }
            let wasEmpty = state.pending.isEmpty
            state.pending.append(contentsOf: line)
            return wasEmpty
        }
        if wasEmpty { wake.signal() }
    }

    /// Writes what is pending before it returns: at the end of the program, and after a line nobody may lose.
    package func flush() {
        output.withLock { buffer in
            let dropped = state.withLock { state in
                swap(&state.pending, &buffer)
                defer { state.dropped = 0 }
                return state.dropped
            }
            if dropped > 0 {
                let message = "\(dropped) log lines were dropped: the log's reader is too slow"
                buffer.append(contentsOf: "{\"level\":\"warning\",\"message\":\"\(message)\"}\n".utf8)
            }
            writeAll(buffer)
            buffer.removeAll(keepingCapacity: buffer.capacity <= 1 << 20)
        }
    }

    /// Ends the thread after a last flush.
    package func close() {
        state.withLock { $0.isClosed = true }
        wake.signal()
        flush()
    }

    private func drain() {
        while true {
            wake.wait()
            if state.withLock({ $0.isClosed }) { return }
            // Under load this lets a burst of lines share one system call.
            usleep(1000)
            flush()
        }
    }

    private func writeAll(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { raw in
            var rest = raw[...]
            while !rest.isEmpty {
                let written = Foundation.write(
                    descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if errno == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&ready, 1, 1000)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
