import DevStack
import TestSupport

/// A command of `atrium` that has ended.
struct AtriumRun: Sendable {
    let exit: ProgramExit
    let lines: [String]

    func has(_ text: String) -> Bool { lines.contains { $0.contains(text) } }

    static func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> AtriumRun {
        let process = try await AtriumProcess.start(arguments, environment: environment, readyWhen: .none)
        let exit = try await process.waitForExit(within: .seconds(60))
        return AtriumRun(exit: exit, lines: process.output)
    }
}
