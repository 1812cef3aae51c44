import Foundation
import Synchronization

/// Another program on this machine: what it printed, and how it ended.
struct ExternalProgram {
    struct Output: Sendable {
        var status: Int32
        var text: String
        var errors: String

        var lines: [String] { text.split(separator: "\n").map(String.init) }
    }

    static func exists(_ name: String) -> Bool { path(of: name) != nil }

    /// The interpreter that has confluent-kafka, as `make test` installs it.
    static var python: String {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["ATRIUM_PYTHON"] { return named }
        let root =
            environment["ATRIUM_ROOT"].map { URL(filePath: $0) }
            ?? URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardized
        return root.appending(path: ".build/python/bin/python").path()
    }

    static let consumerScript = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .appending(path: "../../../examples/python-consumer/watch.py").standardized.path()

    /// Runs the program to its end, and ends it when the task is cancelled.
    static func run(
        _ name: String, _ arguments: [String], input: String = "", environment: [String: String] = [:],
        onFirstLine: (@Sendable (Process) -> Void)? = nil
    ) async throws -> Output {
        guard let path = path(of: name) else { throw Missing(name: name) }
        let process = Process()
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, own in own }
        let (standardInput, output, errors) = (Pipe(), Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = output
        process.standardError = errors
        let running = Running(process)
        return try await withTaskCancellationHandler {
            async let status = running.start()
            standardInput.fileHandleForWriting.write(Data(input.utf8))
            try standardInput.fileHandleForWriting.close()
            async let errorText = running.read(errors, onFirstLine: nil)
            let text = await running.read(output, onFirstLine: onFirstLine)
            return try await Output(status: status, text: text, errors: errorText)
        } onCancel: {
            running.process.terminate()
        }
    }

    struct Missing: Error {
        let name: String
    }

    private static func path(of name: String) -> String? {
        if name.contains("/") { return FileManager.default.isExecutableFile(atPath: name) ? name : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// `@unchecked` because Foundation's Process is not marked; it is started once and then only waited for or ended.
    private final class Running: @unchecked Sendable {
        let process: Process

        init(_ process: Process) {
            self.process = process
        }

        func start() async throws -> Int32 {
            try await withCheckedThrowingContinuation { continuation in
                process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
                // A program starts with its parent thread's signals blocked, and Swift's own threads block most.
                let thread = Thread { [process] in
                    var none = sigset_t()
                    sigemptyset(&none)
                    pthread_sigmask(SIG_SETMASK, &none, nil)
                    do {
                        try process.run()
                    } catch {
                        continuation.resume(throwing: error)
                    }
                }
                thread.start()
            }
        }

        func read(_ pipe: Pipe, onFirstLine: (@Sendable (Process) -> Void)?) async -> String {
            await withCheckedContinuation { continuation in
                let thread = Thread { [self] in
                    var data = Data()
                    while true {
                        let more = pipe.fileHandleForReading.availableData
                        if more.isEmpty { break }
                        let hadLine = data.contains(UInt8(ascii: "\n"))
                        data += more
                        if !hadLine, data.contains(UInt8(ascii: "\n")) { onFirstLine?(process) }
                    }
                    continuation.resume(returning: String(decoding: data, as: UTF8.self))
                }
                thread.start()
            }
        }
    }
}
