import Foundation
package import Logging
import Synchronization

package enum LogFormat: String, Sendable {
    /// One JSON object a line.
    case json
    /// For people.
    case terminal
}

/// Writes each entry as one line to a sink.
package struct LogLineHandler: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata
    package var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let format: LogFormat
    private let sink: LogSink

    package init(
        label: String, sink: LogSink, format: LogFormat, level: Logger.Level = .info, metadata: Logger.Metadata = [:]
    ) {
        self.label = label
        self.sink = sink
        self.format = format
        self.logLevel = level
        self.metadata = metadata
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let line =
            switch format {
            case .json: jsonLine(event)
            case .terminal: terminalLine(event)
            }
        sink.write(line)
        if event.level >= .critical { sink.flush() }
    }

    /// The entry's own metadata wins over the provider's, and that over the logger's.
    private func forEachMetadata(_ event: LogEvent, _ body: (String, Logger.MetadataValue) -> Void) {
        let provided = metadataProvider?.get() ?? [:]
        for (key, value) in metadata where event.metadata?[key] == nil && provided[key] == nil { body(key, value) }
        for (key, value) in provided where event.metadata?[key] == nil { body(key, value) }
        if let own = event.metadata {
            for (key, value) in own { body(key, value) }
        }
    }

    // MARK: JSON

    private static let reserved: Set<String> = ["time", "level", "logger", "message", "at"]

    private func jsonLine(_ event: LogEvent) -> [UInt8] {
        var line = LogText()
        line.raw("{\"time\":\"")
        LogClock.shared.append(to: &line)
        line.raw("\",\"level\":\"")
        line.raw(event.level.rawValue)
        line.raw("\",\"logger\":")
        line.quoted(label)
        line.raw(",\"message\":")
        line.quoted(event.message.description)
        if event.level >= .warning {
            line.raw(",\"at\":")
            line.quoted("\(event.file):\(event.line)")
        }
        if let error = event.error, event.metadata?[LogKey.error] == nil {
            line.raw(",\"error\":")
            line.quoted("\(error)")
        }
        forEachMetadata(event) { key, value in
            line.raw(",")
            line.quoted(Self.reserved.contains(key) ? "metadata." + key : key)
            line.raw(":")
            appendJSON(value, to: &line)
        }
        line.raw("}\n")
        return line.bytes
    }

    private func appendJSON(_ value: Logger.MetadataValue, to line: inout LogText) {
        switch value {
        case .string(let text): line.quoted(text)
        case .stringConvertible(let integer as any FixedWidthInteger): line.raw(String(describing: integer))
        case .stringConvertible(let thing): line.quoted(thing.description)
        case .array(let values):
            line.raw("[")
            for (index, element) in values.enumerated() {
                if index > 0 { line.raw(",") }
                appendJSON(element, to: &line)
            }
            line.raw("]")
        case .dictionary(let members):
            line.raw("{")
            for (index, member) in members.enumerated() {
                if index > 0 { line.raw(",") }
                line.quoted(member.key)
                line.raw(":")
                appendJSON(member.value, to: &line)
            }
            line.raw("}")
        }
    }

    // MARK: Terminal

    private func terminalLine(_ event: LogEvent) -> [UInt8] {
        var line = LogText(capacity: 256)
        LogClock.shared.append(to: &line)
        line.raw(" ")
        let level = event.level.rawValue.uppercased()
        line.raw(level)
        line.raw(String(repeating: " ", count: max(1, 9 - level.utf8.count)))
        line.escaped(event.message.description)
        var pairs: [(String, String)] = []
        forEachMetadata(event) { pairs.append(($0, $1.description)) }
        if let error = event.error { pairs.append((LogKey.error, "\(error)")) }
        for (key, value) in pairs.sorted(by: { $0.0 < $1.0 }) {
            line.raw(" ")
            line.escaped(key)
            line.raw("=")
            line.escaped(value)
        }
        line.raw(" (")
        line.escaped(label)
        line.raw(")\n")
        return line.bytes
    }
}

/// The time of day as RFC 3339; the calendar is worked out once a second.
private final class LogClock: Sendable {
    static let shared = LogClock()

    private let cached = Mutex<(second: Int, text: String)>((-1, ""))

    func append(to line: inout LogText) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let prefix = cached.withLock { cached in
            if cached.second != now.tv_sec { cached = (now.tv_sec, Self.text(of: now.tv_sec)) }
            return cached.text
        }
        line.raw(prefix)
        line.raw(".")
        let milliseconds = String(now.tv_nsec / 1_000_000)
        for _ in milliseconds.utf8.count..<3 { line.raw("0") }
        line.raw(milliseconds)
        line.raw("Z")
    }

    private static func text(of second: Int) -> String {
        var second = second
        var parts = tm()
        gmtime_r(&second, &parts)
        func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let date = "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        return "\(date)T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    }
}
