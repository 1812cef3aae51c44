import DevStack
import Foundation
import Synchronization
import TestSupport

/// A place where one `atrium serve` with certain roles runs, dies, and is started again.
final class Station: Sendable {
    let roles: String
    let port: Int
    private let environment: [String: String]
    private let faults: Faults
    private let failpointLog: String
    private let current = Mutex<AtriumProcess?>(nil)

    private static let counter = Atomic<Int>(0)

    init(roles: String, port: Int, environment: [String: String], faults: Faults) throws {
        self.roles = roles
        self.port = port
        self.faults = faults
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        failpointLog = try Places.logFile("failpoints-\(getpid())-\(number).log")
        try? FileManager.default.removeItem(atPath: failpointLog)
        self.environment = environment.merging(["ATRIUM_PORT": String(port), "ATRIUM_FAILPOINT_LOG": failpointLog]) {
            $1
        }
    }

    var process: AtriumProcess? { current.withLock { $0 } }
    var http: HTTP { HTTP("http://127.0.0.1:\(port)") }

    /// Starts it, as it is or with failpoints armed; an armed one may be dead before it is ready, so it is not waited for.
    func start(_ failpoints: String? = nil) async throws {
        var environment = environment
        if let failpoints = failpoints.flatMap({ faults.arm($0) }) { environment["ATRIUM_FAILPOINTS"] = failpoints }
        let started = try await AtriumProcess.start(
            ["serve", "--roles", roles], environment: environment,
            readyWhen: failpoints == nil ? .url("http://127.0.0.1:\(port)/health/live") : .none)
        current.withLock { $0 = started }
    }

    /// Waits until the failpoint has killed the process, and proves that it was that.
    func awaitKill(at failpoint: String) async throws {
        guard let process else { return }
        let exit: ProgramExit
        do {
            exit = try await process.waitForExit(within: faults.patience)
        } catch let error as DevStackError where error.code == .tooLate {
            throw FaultDidNotFire(what: "\(failpoint) in the process with the roles \(roles)")
        }
        guard exit == .signalled(SIGKILL), struck(failpoint, "kill", by: process.processID) == 1 else {
            throw FaultDidNotFire(what: "\(failpoint): \(exit)\n\(process.transcript)")
        }
    }

    /// Waits until a failpoint has gone off in the running process without ending it.
    func awaitStrike(at failpoint: String, _ action: String) async throws {
        guard let process else { return }
        do {
            try await Waiting.until("\(failpoint) is reached", within: faults.patience, every: .milliseconds(2)) {
                struck(failpoint, action, by: process.processID) > 0
            }
        } catch is DevStackError {
            throw FaultDidNotFire(what: "\(failpoint) in the process with the roles \(roles)")
        }
    }

    /// How often the log says that it went off.
    func struck(_ failpoint: String, _ action: String, by process: Int32? = nil) -> Int {
        let text = (try? String(contentsOfFile: failpointLog, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").count { line in
            let words = line.split(separator: " ")
            return words.first == failpoint[...] && line.contains(action)
                && (process == nil || words.last.flatMap { Int32($0) } == process)
        }
    }

    func kill() async throws { try await process?.kill() }

    /// Ends it in good order.
    func stop() async throws { _ = try await process?.terminate() }

    /// The sum of a counter over its series, 0 where there is none yet or nobody answers.
    func counter(_ name: String) async -> Double {
        guard let text = try? await http.get("/metrics").text else { return 0 }
        return text.split(separator: "\n").reduce(0) { sum, line in
            guard line.hasPrefix("\(name){") || line.hasPrefix("\(name) ") else { return sum }
            return sum + (line.split(separator: " ").last.flatMap { Double($0) } ?? 0)
        }
    }
}
