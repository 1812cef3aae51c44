import Foundation

/// Shows each step of a start while it runs, and how long it took.
package struct StepPrinter: Sendable {
    private let write: @Sendable (String) -> Void
    /// A terminal gets the title at once and the time on the same line.
    private let isTerminal: Bool

    package init(isTerminal: Bool, write: @escaping @Sendable (String) -> Void) {
        self.isTerminal = isTerminal
        self.write = write
    }

    package static let standardOutput = StepPrinter(isTerminal: isatty(1) == 1) { text in
        FileHandle.standardOutput.write(Data(text.utf8))
    }

    package static let silent = StepPrinter(isTerminal: false) { _ in }

    package func step<R>(_ title: String, _ body: () async throws -> R) async throws -> R {
        let clock = ContinuousClock()
        let start = clock.now
        if isTerminal { write("\r\u{1b}[K  … \(title)") }
        do {
            let result = try await body()
            finish("✓", title, clock.now - start)
            return result
        } catch {
            finish("✗", title, clock.now - start)
            throw error
        }
    }

    /// One line between steps, about something worth knowing.
    package func note(_ text: String) {
        write(isTerminal ? "\r\u{1b}[K  · \(text)\n" : "  · \(text)\n")
    }

    private func finish(_ mark: String, _ title: String, _ duration: Duration) {
        let padding = String(repeating: " ", count: max(1, 62 - title.count))
        write("\(isTerminal ? "\r\u{1b}[K" : "")  \(mark) \(title)\(padding)\(Self.seconds(duration))\n")
    }

    /// Seconds with two digits: "0.07 s", "12.30 s".
    package static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let hundredths = seconds * 100 + (attoseconds + 5_000_000_000_000_000) / 10_000_000_000_000_000
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) s"
    }
}
