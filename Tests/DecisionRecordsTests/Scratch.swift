import DecisionRecords
import Foundation

/// A folder of its own for a test, gone with it.
final class Scratch: Sendable {
    let path: String

    init(_ files: [String: String] = [:]) throws {
        let place = FileManager.default.temporaryDirectory.appending(path: "adr-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        path = place.resolvingSymlinksInPath().path
        for (name, text) in files { try write(text, to: name) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ text: String, to name: String) throws {
        let url = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }

    func text(_ name: String) throws -> String {
        // Reading it as a string would leave a byte order mark out.
        String(decoding: try Data(contentsOf: URL(filePath: path).appending(path: name)), as: UTF8.self)
    }

    /// Everything below, by name.
    func files() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: path).filter { !$0.hasPrefix(".git") }.sorted()
    }

    func surroundings(_ folder: String = "", _ environment: [String: String] = [:]) -> Surroundings {
        Surroundings(folder: "\(path)/\(folder)", environment: environment, day: "1992-01-12")
    }

    func folder(_ name: String = "docs/adr") throws -> RecordFolder {
        try RecordFolder(path: name, surroundings: surroundings())
    }

    func git(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments =
            [
                "git", "-C", path, "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c",
                "init.defaultBranch=main", "-c", "commit.gpgsign=false",
            ] + arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw RecordError("git \(arguments) failed") }
    }

    /// Runs a command as adr-tools: what it prints, and its exit code.
    @discardableResult
    func adrTools(
        _ arguments: String..., in folder: String = "", environment: [String: String] = [:]
    ) -> (output: [String], errors: [String], code: Int32) {
        var output: [String] = []
        var errors: [String] = []
        let code = AdrTools(
            surroundings: surroundings(folder, environment), program: "/usr/bin/adr", print: { output.append($0) },
            complain: { errors.append($0) }
        ).run(arguments)
        return (output, errors, code)
    }
}

/// Records in the form of Nygard.
enum Sample {
    static func nygard(_ number: Int, _ title: String, status: String = "Accepted") -> String {
        """
        # \(number). \(title)

        Date: 1992-01-12

        ## Status

        \(status)

        ## Context

        Something.

        ## Decision

        Something.

        ## Consequences

        Something.

        """
    }
}
