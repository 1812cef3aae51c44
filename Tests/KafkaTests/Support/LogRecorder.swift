import Logging
import Synchronization

/// Keeps what is logged, and wakes who waits for a line: what the clients tell of has no other event.
final class LogRecorder: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
    }

    private struct State {
        var lines: [Line] = []
        var waiting: [(text: String, continuation: AsyncStream<Line>.Continuation)] = []
    }

    private let state = Mutex(State())

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(recorder: self) }
        logger.logLevel = .trace
        return logger
    }

    var lines: [Line] { state.withLock { $0.lines } }

    /// The first line, also one in the past, whose message contains the text.
    func line(_ text: String) async throws -> Line {
        let (stream, continuation) = AsyncStream.makeStream(of: Line.self)
        let known = state.withLock { state in
            let known = state.lines.first { $0.message.contains(text) }
            if known == nil { state.waiting.append((text, continuation)) }
            return known
        }
        if let known { return known }
        for await line in stream { return line }
        throw CancellationError()
    }

    fileprivate func record(_ line: Line) {
        let awaited = state.withLock { state in
            state.lines.append(line)
            return state.waiting.filter { line.message.contains($0.text) }
        }
        for (_, continuation) in awaited { continuation.yield(line) }
    }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            recorder.record(Line(level: event.level, message: "\(event.message) \(event.metadata ?? [:])"))
        }
    }
}
