import Dispatch
import Foundation
import Synchronization

/// A program started by Atrium. It dies with Atrium where the program asks for a death signal.
package final class ChildProcess: Sendable {
    private struct State {
        var isReaped = false
        /// The newest lines, for messages and for those who come late to wait for one.
        var recent: [String] = []
        var watchers: [(matches: @Sendable (String) -> Bool, found: Promise<String?>)] = []
        var outputEnded = false
    }

    package let processID: Int32
    private let state = Mutex(State())
    private let exit = Promise<ProgramExit>()
    private let outputEnd = Promise<Bool>()
    private let collected = Mutex<(output: [UInt8], errors: [UInt8])>(([], []))
    private static let linesKept = 400

    private init(processID: Int32) {
        self.processID = processID
    }

    /// Starts a long-lived program; each line it prints is appended to the file `log` too, where there is one.
    package static func start(_ program: Program, log: String? = nil) async throws -> ChildProcess {
        try await LaunchThread.shared.run {
            let spawned = try spawn(program, mergeErrors: true)
            let child = ChildProcess(processID: spawned.processID)
            Thread.detachNewThread { child.followLines(of: spawned.output, log: log) }
            Thread.detachNewThread { child.reap() }
            return child
        }
    }

    /// Runs a program to its end and hands back all it printed; cancellation and `limit` kill it.
    package static func run(_ program: Program, within limit: Duration = .seconds(120)) async throws -> ProgramOutput {
        let child = try await LaunchThread.shared.run {
            let spawned = try spawn(program, mergeErrors: false)
            let child = ChildProcess(processID: spawned.processID)
            Thread.detachNewThread { child.collect(spawned.output, spawned.errors) }
            Thread.detachNewThread { child.reap() }
            return child
        }
        let late = DevStackError(.tooLate, "\(program.executable) did not end within \(limit); it was killed.")
        do {
            return try await withDeadline(limit, late: late) {
                let status = try await child.waitForExit()
                _ = try await child.outputEnd.value()
                let (output, errors) = child.collected.withLock { $0 }
                return ProgramOutput(status: status, outputBytes: output, errorBytes: errors)
            }
        } catch {
            child.send(SIGKILL)
            throw error
        }
    }

    package var isRunning: Bool { exit.current == nil }

    package var recentOutput: [String] { state.withLock { $0.recent } }

    package func waitForExit() async throws -> ProgramExit { try await exit.value() }

    /// Its end and the end of what it printed: only then does `recentOutput` hold the last line.
    package func waitForExitAndOutput() async throws -> ProgramExit {
        let status = try await exit.value()
        _ = try await outputEnd.value()
        return status
    }

    /// Blocks the calling thread: for exit handlers only.
    package func waitForExitBlocking(seconds: Double) -> ProgramExit? { exit.wait(seconds: seconds) }

    /// Sends a signal, and never to a stranger who got the number after this program's end.
    package func send(_ signal: Int32) {
        state.withLock { state in
            guard !state.isReaped else { return }
            kill(processID, signal)
        }
    }

    /// The first line, old or new, that matches; nil when the output ended without one.
    package func waitForLine(where matches: @escaping @Sendable (String) -> Bool) async throws -> String? {
        let found = Promise<String?>()
        state.withLock { state in
            if let line = state.recent.first(where: matches) {
                found.fulfil(line)
            } else if state.outputEnded {
                found.fulfil(nil)
            } else {
                state.watchers.append((matches, found))
            }
        }
        return try await found.value()
    }
}

/// What a program that ran to its end left.
package struct ProgramOutput: Sendable {
    package let status: ProgramExit
    package let outputBytes: [UInt8]
    package let errorBytes: [UInt8]

    package var output: String { String(decoding: outputBytes, as: UTF8.self) }
    package var errors: String { String(decoding: errorBytes, as: UTF8.self) }
}

// MARK: The two threads that attend a program

extension ChildProcess {
    private func reap() {
        var info = siginfo_t()
        // Looking first without taking keeps the number from being given away before `isReaped` is set.
        while waitid(P_PID, id_t(processID), &info, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        var raw: Int32 = 0
        state.withLock { state in
            while waitpid(processID, &raw, 0) < 0, errno == EINTR {}
            state.isReaped = true
        }
        let signal = raw & 0x7f
        exit.fulfil(signal == 0 ? .exited((raw >> 8) & 0xff) : .signalled(signal))
    }

    private func followLines(of descriptor: Int32, log: String?) {
        let file = log.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) } ?? -1
        var partial: [UInt8] = []
        readAll(descriptor) { bytes in
            if file >= 0 { _ = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) } }
            partial += bytes
            while let end = partial.firstIndex(of: UInt8(ascii: "\n")) {
                announce(String(decoding: partial[..<end], as: UTF8.self))
                partial.removeSubrange(...end)
            }
        }
        if !partial.isEmpty { announce(String(decoding: partial, as: UTF8.self)) }
        close(descriptor)
        if file >= 0 { close(file) }
        let rest = state.withLock { state in
            state.outputEnded = true
            defer { state.watchers = [] }
            return state.watchers
        }
        outputEnd.fulfil(true)
        for watcher in rest { watcher.found.fulfil(nil) }
    }

    private func announce(_ line: String) {
        let found = state.withLock { state in
            state.recent.append(line)
            if state.recent.count > Self.linesKept { state.recent.removeFirst() }
            let found = state.watchers.filter { $0.matches(line) }
            state.watchers.removeAll { $0.matches(line) }
            return found
        }
        for watcher in found { watcher.found.fulfil(line) }
    }

    private func collect(_ output: Int32, _ errors: Int32) {
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            readAll(errors) { bytes in collected.withLock { $0.errors += bytes } }
            close(errors)
            done.signal()
        }
        readAll(output) { bytes in collected.withLock { $0.output += bytes } }
        close(output)
        done.wait()
        outputEnd.fulfil(true)
    }

    private func readAll(_ descriptor: Int32, _ take: ([UInt8]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            take(Array(buffer[..<count]))
        }
    }
}
