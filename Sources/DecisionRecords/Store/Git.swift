import Foundation

/// The program git, in the repository around a folder.
package struct Git: Sendable {
    /// Absolute, without symbolic links, as git has it.
    package let root: String

    struct Answer {
        let code: Int32
        let bytes: [UInt8]
        let errors: String

        var text: String { String(decoding: bytes, as: UTF8.self) }
    }

    /// Nil where the folder is in no repository, or git is missing.
    package init?(around folder: String) throws {
        guard let answer = try? Self.run(["-C", folder, "rev-parse", "--show-toplevel"]) else { return nil }
        guard answer.code == 0 else {
            if answer.errors.contains("not a git repository") || answer.errors.contains("work tree") { return nil }
            throw RecordError("git can't look at \(folder): \(answer.errors)")
        }
        root = answer.text.trimmingCharacters(in: .newlines)
    }

    func run(_ arguments: [String]) throws -> Answer {
        try Self.run(["-C", root, "-c", "core.quotepath=off"] + arguments)
    }

    func demand(_ arguments: [String], _ what: String) throws -> [UInt8] {
        let answer = try run(arguments)
        guard answer.code == 0 else { throw RecordError("git could not \(what): \(answer.errors)") }
        return answer.bytes
    }

    func commit(_ name: String) throws -> String {
        // A name that begins with a dash would be taken for an option.
        let answer = name.hasPrefix("-") ? nil : try run(["rev-parse", "--verify", "--quiet", "\(name)^{commit}"])
        guard let answer, answer.code == 0 else {
            throw RecordError("git knows no commit `\(name)` here; is it fetched?")
        }
        return answer.text.trimmingCharacters(in: .newlines)
    }

    /// The tree that a merge of HEAD with another commit would make, conflicts and all; nothing is merged.
    func mergedTree(with name: String) throws -> String {
        let answer = try run(["merge-tree", "--write-tree", "HEAD", try commit(name)])
        let tree = answer.text.split(separator: "\n").first.map(String.init) ?? ""
        // 1 says that there are conflicts, which are the business of whoever merges.
        guard answer.code < 2, tree.count >= 40 else {
            throw RecordError("git could not try the merge with \(name) (it takes git 2.38): \(answer.errors)")
        }
        return tree
    }

    func files(in tree: String) throws -> [String] {
        Self.split(try demand(["ls-tree", "-r", "-z", "--name-only", "--full-tree", tree], "list files"))
    }

    /// Lines that may name a record, in a tree or, without one, in what is not ignored here.
    func lines(naming words: String, in tree: String?) throws -> [SourceLine] {
        let place = tree.map { [$0] } ?? ["--untracked"]
        let arguments = ["grep", "--full-name", "-n", "-I", "-z", "-i", "-E", "-e", words]
        let answer = try run(arguments + place)
        guard answer.code < 2 else { throw RecordError("git could not look for mentions: \(answer.errors)") }
        return answer.bytes.split(separator: 0x0A).compactMap { line in
            let parts = line.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let number = Int(String(decoding: parts[1], as: UTF8.self)) else { return nil }
            let path = String(decoding: parts[0], as: UTF8.self)
            return SourceLine(
                path: tree.map { String(path.dropFirst($0.count + 1)) } ?? path, line: number, bytes: Array(parts[2]))
        }
    }

    /// The lines that were added since the work left another commit, by path; nil for the whole of a new file.
    func added(since name: String) throws -> [String: Set<Int>?] {
        let other = try commit(name)
        let base = try run(["merge-base", other, "HEAD"])
        let from = base.code == 0 ? base.text.trimmingCharacters(in: .newlines) : other
        let diff = try demand(
            ["diff", "-U0", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/", from], "compare")
        var added: [String: Set<Int>?] = [:]
        var path = ""
        for line in String(decoding: diff, as: UTF8.self).split(separator: "\n") {
            if line.hasPrefix("+++ b/") { path = String(line.dropFirst(6)) }
            guard let match = line.prefixMatch(of: /@@ -[0-9,]+ \+([0-9]+)(?:,([0-9]+))? @@/),
                let start = Int(match.output.1)
            else { continue }
            let count = match.output.2.flatMap { Int($0) } ?? 1
            added[path, default: Set<Int>()]?.formUnion(start..<(start + count))
        }
        for path in Self.split(try demand(["ls-files", "-z", "--others", "--exclude-standard"], "list files")) {
            added[path] = .some(nil)
        }
        return added
    }

    private static func split(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func run(_ arguments: [String]) throws -> Answer {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["git"] + arguments
        // A hook's variables would point git at another repository than the one around the folder.
        process.environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("GIT_") }
            .merging(["LC_ALL": "C"]) { $1 }
        let output = Pipe()
        // No pipe: git would wait for it to be read, and is read from the other one.
        let told = FileManager.default.temporaryDirectory.appending(path: "adr-\(UUID().uuidString)").path
        defer { unlink(told) }
        guard FileManager.default.createFile(atPath: told, contents: nil),
            let errors = FileHandle(forWritingAtPath: told)
        else { throw RecordError("no file can be made in \(FileManager.default.temporaryDirectory.path)") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let bytes = Array(output.fileHandleForReading.readDataToEndOfFile())
        process.waitUntilExit()
        return Answer(
            code: process.terminationStatus, bytes: bytes,
            errors: String(decoding: try Files.read(told), as: UTF8.self)
                .trimmingCharacters(in: .whitespacesAndNewlines))
    }
}

/// A line of any file of the project.
struct SourceLine: Sendable, Hashable {
    /// From the root of the project.
    let path: String
    /// From 1.
    let line: Int
    let bytes: [UInt8]

    /// `ADR` says it anywhere; `record` counts in prose and comments only, since code has records of its own.
    var isProse: Bool {
        let ending = path.split(separator: ".").last?.lowercased() ?? ""
        if ["md", "markdown", "txt", "adoc", "rst"].contains(ending) { return true }
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespaces)
        return ["//", "#", "*", "/*", "--", "<!--"].contains { text.hasPrefix($0) } || text.contains(" // ")
    }
}
