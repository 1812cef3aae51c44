import DevStack
import Foundation
import TestSupport

/// A repository of a test's own, with a folder of schemas.
struct GitFolder: Sendable {
    let root: String

    static func with(_ body: @Sendable (GitFolder) async throws -> Void) async throws {
        let folder = try await TestFolder.make()
        let git = GitFolder(root: "\(folder.path)/work")
        try FileManager.default.createDirectory(atPath: "\(git.root)/schemas/events", withIntermediateDirectories: true)
        do {
            try await git.run("init", "-q", "-b", "main", ".")
            try await body(git)
        } catch {
            try await folder.remove()
            throw error
        }
        try await folder.remove()
    }

    @discardableResult
    func run(_ arguments: String...) async throws -> String {
        let environment = [
            "HOME": root, "GIT_AUTHOR_NAME": "Test", "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.org", "GIT_CONFIG_NOSYSTEM": "1",
        ]
        let output = try await ChildProcess.run(
            Program(
                "/usr/bin/env", ["git"] + arguments,
                environment: Program.plainEnvironment.merging(environment) { _, own in own }, workingDirectory: root))
        guard output.status.isSuccess else { throw DevStackError(.programFailed, output.errors) }
        return output.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Commits everything, and answers the commit.
    @discardableResult
    func commit(_ message: String) async throws -> String {
        try await run("add", "-A")
        try await run("commit", "-q", "-m", message)
        return try await run("rev-parse", "HEAD")
    }

    /// Writes a schema, by its path below `schemas/events`.
    func write(_ path: String, _ text: String) throws {
        let file = URL(filePath: "\(root)/schemas/events/\(path)")
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: true, encoding: .utf8)
    }

    func writeBeside(_ path: String, _ text: String) throws {
        try text.write(toFile: "\(root)/schemas/\(path)", atomically: true, encoding: .utf8)
    }

    func remove(_ path: String) throws {
        try FileManager.default.removeItem(atPath: "\(root)/schemas/events/\(path)")
    }

    func check(_ arguments: String..., folder: String? = nil) async throws -> AtriumRun {
        try await AtriumRun.run(["schemas", "check", "--folder", folder ?? "\(root)/schemas"] + arguments)
    }
}
