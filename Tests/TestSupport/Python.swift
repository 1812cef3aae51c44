package import DevStack
import Foundation

/// Runs Python programs with the packages of scripts/requirements-test.txt, which `make test` installs.
package enum Python {
    /// `ATRIUM_PYTHON`, or the environment in .build/python.
    package static func interpreter() throws -> String {
        if let named = ProcessInfo.processInfo.environment["ATRIUM_PYTHON"], !named.isEmpty { return named }
        let own = Places.packageRoot.appending(path: ".build/python/bin/python").path()
        guard FileManager.default.isExecutableFile(atPath: own) else {
            throw DevStackError(
                .programMissing,
                "The tests' Python packages are missing. Run scripts/bootstrap.sh --test, or set ATRIUM_PYTHON.")
        }
        return own
    }

    package static func run(
        module: String, _ arguments: [String] = [], input: String = "", environment: [String: String] = [:]
    ) async throws -> ProgramOutput {
        try await run(["-m", module] + arguments, input: input, environment: environment)
    }

    package static func run(
        script: String, _ arguments: [String] = [], input: String = "", environment: [String: String] = [:]
    ) async throws -> ProgramOutput {
        try await run([script] + arguments, input: input, environment: environment)
    }

    /// Runs program text itself.
    package static func run(
        code: String, _ arguments: [String] = [], input: String = "", environment: [String: String] = [:]
    ) async throws -> ProgramOutput {
        try await run(["-c", code] + arguments, input: input, environment: environment)
    }

    private static func run(
        _ arguments: [String], input: String, environment: [String: String]
    ) async throws -> ProgramOutput {
        let whole = Program.plainEnvironment.merging(environment) { _, own in own }
        return try await ChildProcess.run(
            Program(
                try interpreter(), arguments, environment: whole,
                workingDirectory: Places.packageRoot.path(), input: Array(input.utf8)))
    }
}
