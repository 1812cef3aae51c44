import Foundation
import Synchronization

/// A named place where a crash test makes the program die, fail or wait.
///
/// Only a debug build has them. `ATRIUM_FAILPOINTS` arms them, e.g. `relay.after-produce=kill@3,inbox.before-commit=error`:
/// the action `kill` (SIGKILL), `error` or `delay:<milliseconds>`, and the visit that it begins with (1 unless told).
/// `kill` happens once, the others at every visit from there on, or at as many as `x<count>` says: `error@2x5`.
/// A line in the file that `ATRIUM_FAILPOINT_LOG` names proves each that went off: its name, action, visit and process.
package enum Failpoint {
    /// Does nothing unless this place is armed.
    package static func reach(_ name: String) async throws {
        #if FAILPOINTS
            try await Armed.fromEnvironment?.reach(name)
        #endif
    }
}

/// What a failpoint with the action `error` throws.
package struct FailpointError: Error, CustomStringConvertible {
    package let name: String

    package var description: String { "failpoint \(name)" }
}

/// Something in `ATRIUM_FAILPOINTS` is not understood: a test that armed nothing would prove nothing.
struct FailpointSyntaxError: Error, Hashable, CustomStringConvertible {
    let part: String

    var description: String {
        "ATRIUM_FAILPOINTS: “\(part)” is not <name>=kill|error|delay:<milliseconds>, with @<visit> and x<count> behind it"
    }
}

/// The failpoints that are armed, and how often each was visited.
final class Armed: Sendable {
    struct Order: Hashable, Sendable {
        enum Action: Hashable, Sendable {
            case kill
            case error
            case delay(milliseconds: Int)
        }

        let action: Action
        let firstVisit: Int
        let count: Int
    }

    private let orders: [String: Order]
    private let visits = Mutex<[String: Int]>([:])
    private let log: Int32

    init(_ text: String, log path: String?) throws(FailpointSyntaxError) {
        orders = try Self.parse(text)
        log = path.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) } ?? -1
    }

    static let fromEnvironment: Armed? = {
        let environment = ProcessInfo.processInfo.environment
        guard let text = environment["ATRIUM_FAILPOINTS"], !text.isEmpty else { return nil }
        do {
            return try Armed(text, log: environment["ATRIUM_FAILPOINT_LOG"])
        } catch {
            // A test whose fault is misspelt must not run without it; this is in debug builds alone.
            fatalError("\(error)")
        }
    }()

    func reach(_ name: String) async throws {
        guard let order = orders[name] else { return }
        let visit = visits.withLock { visits in
            visits[name, default: 0] += 1
            return visits[name, default: 0]
        }
        guard visit >= order.firstVisit, visit - order.firstVisit < order.count else { return }
        note("\(name) \(order.action) \(visit) \(getpid())\n")
        switch order.action {
        case .kill: kill(getpid(), SIGKILL)
        case .error: throw FailpointError(name: name)
        case .delay(let milliseconds): try await Task.sleep(for: .milliseconds(milliseconds))
        }
    }

    private func note(_ line: String) {
        guard log >= 0 else { return }
        _ = Array(line.utf8).withUnsafeBytes { write(log, $0.baseAddress, $0.count) }
    }

    static func parse(_ text: String) throws(FailpointSyntaxError) -> [String: Order] {
        var orders: [String: Order] = [:]
        for part in text.split(separator: ",") {
            let matched = part.wholeMatch(
                of: /\s*([a-z0-9.-]+)=(kill|error|delay:(\d{1,6}))(?:@(\d{1,9}))?(?:x(\d{1,9}))?\s*/)
            guard let (_, name, word, wait, visit, count) = matched?.output else {
                throw FailpointSyntaxError(part: String(part))
            }
            let action: Order.Action
            switch word {
            case "kill": action = .kill
            case "error": action = .error
            default: action = .delay(milliseconds: wait.flatMap { Int($0) } ?? 0)
            }
            orders[String(name)] = Order(
                action: action, firstVisit: visit.flatMap { Int($0) } ?? 1,
                count: action == .kill ? 1 : count.flatMap { Int($0) } ?? .max)
        }
        return orders
    }
}
