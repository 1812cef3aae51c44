import DevStack
import Foundation

/// Reads what a folder held at other commits, through the program git.
struct GitRepository: Sendable {
    /// A folder inside the work tree; paths are relative to it.
    let folder: String
    private let git: String
    /// The folder's path from the root of the work tree, with a slash at the end where it is not empty.
    private let prefix: String

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Nil where the folder belongs to no repository.
    init?(around folder: String) async throws {
        guard let git = Program.find("git") else {
            throw Failure(description: "The program git is missing. Install it: apt-get install git")
        }
        self.git = git
        self.folder = folder
        let answer = try await Self.run(git, folder, ["rev-parse", "--show-prefix"])
        guard let prefix = answer.success else {
            // Anything else, such as a folder of another user, must not pass for there being nothing to compare with.
            if !answer.output.errors.contains("not a git repository") {
                _ = try answer.orThrow("look for the repository of \(folder)")
            }
            return nil
        }
        self.prefix = prefix.text
    }

    /// The commit that a name stands for; nil where it stands for none here.
    func commit(_ name: String) async throws -> String? {
        // A name that starts with a dash would be taken for an option.
        guard !name.isEmpty, !name.hasPrefix("-") else { return nil }
        return try await run(["rev-parse", "--verify", "--quiet", "\(name)^{commit}"]).success?.text
    }

    func mergeBase(_ one: String, _ other: String) async throws -> String? {
        try await run(["merge-base", one, other]).success?.text
    }

    /// Whether history was cut off when it was fetched.
    func isShallow() async throws -> Bool {
        try await run(["rev-parse", "--is-shallow-repository"]).success?.text == "true"
    }

    /// Every file below the folder, as the commit has it.
    func files(at commit: String) async throws -> [String: [UInt8]] {
        let listed = try await run(["ls-tree", "-r", "-z", commit, "."]).orThrow("list the files of \(commit)")
        var objects: [(path: String, object: String)] = []
        for entry in listed.bytes.split(separator: 0) {
            let parts = String(decoding: entry, as: UTF8.self).split(separator: "\t", maxSplits: 1)
            let words = parts[0].split(separator: " ")
            guard parts.count == 2, words.count == 3, words[1] == "blob" else { continue }
            objects.append((String(parts[1]), String(words[2])))
        }
        let contents = try await contents(of: objects.map(\.object))
        return zip(objects, contents).reduce(into: [:]) { files, pair in files[pair.0.path] = pair.1?.bytes }
    }

    /// Every state that the file had up to the commit, oldest first, by the short name of the commit that made it.
    func states(of path: String, upTo commit: String) async throws -> [(commit: String, bytes: [UInt8])] {
        let log = try await run(["log", "--format=%H", commit, "--", path]).orThrow("read the history of \(path)")
        let commits = log.text.split(separator: "\n").map(String.init).reversed()
        let contents = try await contents(of: commits.map { "\($0):\(prefix)\(path)" })
        var seen: Set<String> = []
        return zip(commits, contents).compactMap { commit, content in
            guard let content, seen.insert(content.object).inserted else { return nil }
            return (String(commit.prefix(9)), content.bytes)
        }
    }

    /// What the names stand for, in their order; nil for one that stands for nothing.
    private func contents(of names: [String]) async throws -> [(object: String, bytes: [UInt8])?] {
        guard !names.isEmpty else { return [] }
        let input = Array((names.joined(separator: "\n") + "\n").utf8)
        let bytes = try await run(["cat-file", "--batch"], input: input).orThrow("read files").bytes
        var contents: [(object: String, bytes: [UInt8])?] = []
        var rest = bytes[...]
        for _ in names {
            guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { break }
            // `<object> <type> <size>`, or `<name> missing`.
            let words = String(decoding: rest[..<end], as: UTF8.self).split(separator: " ")
            rest = rest[(end + 1)...]
            guard words.count == 3, let size = Int(words[2]), rest.count > size else {
                contents.append(nil)
                continue
            }
            contents.append((String(words[0]), Array(rest.prefix(size))))
            rest = rest.dropFirst(size + 1)
        }
        guard contents.count == names.count else {
            throw Failure(description: "git told of fewer files than asked for.")
        }
        return contents
    }

    // MARK: The program

    private struct Answer {
        let output: ProgramOutput

        var bytes: [UInt8] { output.outputBytes }
        var text: String { output.output.trimmingCharacters(in: .whitespacesAndNewlines) }
        var success: Answer? { output.status.isSuccess ? self : nil }

        func orThrow(_ what: String) throws -> Answer {
            if output.status.isSuccess { return self }
            throw Failure(
                description: "git could not \(what): \(output.errors.trimmingCharacters(in: .whitespacesAndNewlines))")
        }
    }

    private func run(_ arguments: [String], input: [UInt8] = []) async throws -> Answer {
        try await Self.run(git, folder, arguments, input: input)
    }

    private static func run(
        _ git: String, _ folder: String, _ arguments: [String], input: [UInt8] = []
    ) async throws -> Answer {
        var environment = Program.plainEnvironment
        // Where git keeps what its user says about whose repositories may be read.
        environment["HOME"] = ProcessInfo.processInfo.environment["HOME"]
        return Answer(
            output: try await ChildProcess.run(
                Program(git, ["-C", folder] + arguments, environment: environment, input: input)))
    }
}
