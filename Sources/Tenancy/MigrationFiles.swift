import Crypto
package import Foundation

/// The SQL files under `schemas/sql`: `roles.sql`, then a folder for each context with `NNNN_<what>.sql`.
package struct MigrationFiles: Sendable {
    package struct File: Hashable, Sendable {
        package let context: String
        package let number: Int
        package let name: String
        package let sql: String
        /// SHA-256 of the file in hex.
        package let checksum: String
    }

    package let roles: String
    /// The platform's first, then context by context in the order of their numbers.
    package let files: [File]

    package init(directory: URL) throws {
        let manager = FileManager.default
        func read(_ url: URL) throws -> String {
            guard let data = manager.contents(atPath: url.path), let text = String(data: data, encoding: .utf8) else {
                throw MigrationError.unreadable(url.path)
            }
            return text
        }
        roles = try read(directory.appending(path: "roles.sql"))
        guard let entries = try? manager.contentsOfDirectory(atPath: directory.path) else {
            throw MigrationError.unreadable(directory.path)
        }
        let contexts =
            (entries.contains("platform") ? ["platform"] : [])
            + entries.filter { isPlainIdentifier($0) && $0 != "platform" }.sorted()
        var files: [File] = []
        for context in contexts {
            let folder = directory.appending(path: context)
            guard let names = try? manager.contentsOfDirectory(atPath: folder.path) else {
                throw MigrationError.unreadable(folder.path)
            }
            for name in names.sorted() where name.hasSuffix(".sql") {
                let parts = name.split(separator: "_", maxSplits: 1)
                guard parts.count == 2, parts[0].utf8.count == 4, let number = Int(parts[0]), number > 0 else {
                    throw MigrationError.badName("\(context)/\(name)")
                }
                guard !files.contains(where: { $0.context == context && $0.number == number }) else {
                    throw MigrationError.duplicateNumber("\(context)/\(name)")
                }
                let sql = try read(folder.appending(path: name))
                let digest = SHA256.hash(data: Data(sql.utf8))
                files.append(
                    File(
                        context: context, number: number, name: name, sql: sql,
                        checksum: digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()))
            }
        }
        self.files = files
    }
}

package enum MigrationError: Error, Hashable, CustomStringConvertible {
    case unreadable(String)
    case badName(String)
    case duplicateNumber(String)
    case changed(String)
    case unknown(String)
    case failed(String, because: String)

    package var description: String {
        switch self {
        case .unreadable(let path):
            "can't read \(path); run from the project's folder or set ATRIUM_SCHEMAS to its schemas folder"
        case .badName(let file): "\(file) is not named NNNN_<what>.sql with a number from 0001"
        case .duplicateNumber(let file): "\(file) has a number that another file of its context has; renumber one"
        case .changed(let file):
            "\(file) was changed after it was applied; put it back as it was and add a new file instead"
        case .unknown(let file): "the database has \(file), which this version of Atrium does not; run a newer one"
        case .failed(let file, let reason): "\(file) failed and changed nothing: \(reason)"
        }
    }
}
