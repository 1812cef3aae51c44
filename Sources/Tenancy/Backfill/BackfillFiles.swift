package import Foundation

/// The backfills under `schemas/backfills`: a folder for each context with `NNNN_<what>.sql`.
package struct BackfillFiles: Sendable {
    /// Context by context in the order of their numbers.
    package let definitions: [BackfillDefinition]

    /// - Parameter contexts: whose data can be filled. A folder that is not there holds no backfill.
    package init(directory: URL, contexts: [String]) throws {
        var definitions: [BackfillDefinition] = []
        if FileManager.default.fileExists(atPath: directory.path) {
            for name in try Self.names(in: directory) {
                let folder = directory.appending(path: name)
                guard try folder.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true else {
                    if name.hasSuffix(".sql") {
                        throw BackfillFileError(
                            file: "backfills/\(name)", line: nil, problem: "it is in no context's folder",
                            remedy: "move it to one of \(contexts.joined(separator: ", "))")
                    }
                    continue
                }
                guard contexts.contains(name) else {
                    throw BackfillFileError(
                        file: "backfills/\(name)", line: nil, problem: "there is no context \(name)",
                        remedy: "call the folder one of \(contexts.joined(separator: ", "))")
                }
                definitions += try Self.definitions(of: name, in: folder)
            }
        }
        self.definitions = definitions
    }

    /// - Throws: `UnknownBackfill`.
    package func definition(_ name: String) throws -> BackfillDefinition {
        guard let found = definitions.first(where: { $0.name == name || "\($0.name).sql" == name }) else {
            throw UnknownBackfill(name: name)
        }
        return found
    }

    private static func definitions(of context: String, in folder: URL) throws -> [BackfillDefinition] {
        var numbers: [Int: String] = [:]
        return try names(in: folder).filter { $0.hasSuffix(".sql") }.map { name in
            let file = "backfills/\(context)/\(name)"
            let title = String(name.dropLast(4))
            let parts = title.split(separator: "_", maxSplits: 1)
            guard parts.count == 2, parts[0].utf8.count == 4, let number = Int(parts[0]), number > 0,
                title.utf8.allSatisfy(Self.isPlain)
            else {
                throw BackfillFileError(
                    file: file, line: nil, problem: "it is not named NNNN_<what>.sql with a number from 0001",
                    remedy: "rename it, with lower-case letters, digits and underscores")
            }
            if let other = numbers.updateValue(name, forKey: number) {
                throw BackfillFileError(
                    file: file, line: nil, problem: "\(other) has the same number", remedy: "renumber one of them")
            }
            guard let data = FileManager.default.contents(atPath: folder.appending(path: name).path),
                let text = String(data: data, encoding: .utf8)
            else {
                throw BackfillFileError(
                    file: file, line: nil, problem: "it can't be read as UTF-8", remedy: "see to its rights and content"
                )
            }
            return try BackfillReader(context: context, title: title, text: text).read()
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "_")
    }

    private static func names(in folder: URL) throws -> [String] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw BackfillFileError(
                file: folder.path, line: nil, problem: "it can't be read", remedy: "see to its rights")
        }
        return names.filter { !$0.hasPrefix(".") }.sorted()
    }
}
