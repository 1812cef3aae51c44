import Foundation

/// The independent validators, which are written in Python.
enum Python {
    struct Verdict: Sendable {
        let isValid: Bool
        let output: String
    }

    static func validate(openAPI document: [UInt8]) async throws -> Verdict {
        try await run(
            """
            import json, sys
            from openapi_spec_validator import OpenAPIV31SpecValidator
            errors = list(OpenAPIV31SpecValidator(json.load(sys.stdin)).iter_errors())
            for error in errors[:5]: print(list(getattr(error, "path", [])), error)
            sys.exit(1 if errors else 0)
            """, input: document)
    }

    static func run(_ program: String, input: [UInt8]) async throws -> Verdict {
        let interpreter = try interpreter()
        return try await onThread {
            let file = FileManager.default.temporaryDirectory.appending(path: "web-tests-\(UUID().uuidString).json")
            defer { try? FileManager.default.removeItem(at: file) }
            try Data(input).write(to: file)
            let process = Process()
            let output = Pipe()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [interpreter, "-c", program]
            process.standardInput = try FileHandle(forReadingFrom: file)
            process.standardOutput = output
            process.standardError = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            if text.contains("ModuleNotFoundError") {
                throw SocketFailure(
                    "\(interpreter) lacks openapi-spec-validator: run `make test`, or set ATRIUM_PYTHON to a python3 that has it"
                )
            }
            return Verdict(isValid: process.terminationStatus == 0, output: text)
        }
    }

    /// ATRIUM_PYTHON, else the project's own environment, else what the path holds.
    private static func interpreter(of source: String = #filePath) throws -> String {
        if let chosen = ProcessInfo.processInfo.environment["ATRIUM_PYTHON"] { return chosen }
        var root = URL(filePath: source)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let own = root.appending(path: ".build/python/bin/python3").path()
        return FileManager.default.isExecutableFile(atPath: own) ? own : "python3"
    }
}
