import DevStack
import Foundation
import TestSupport

/// Runs the project's own scripts as a newcomer does.
enum Shell {
    /// What the script printed; throws where it failed.
    static func run(_ script: String, environment: [String: String]) async throws -> String {
        let output = try await ChildProcess.run(
            Program(
                "/usr/bin/env", ["bash", script],
                environment: Program.plainEnvironment.merging(environment) { _, own in own },
                workingDirectory: Places.packageRoot.path()))
        return output.output + output.errors
    }
}
