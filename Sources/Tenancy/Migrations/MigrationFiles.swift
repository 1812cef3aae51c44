import Crypto
package import Foundation

/// The SQL files under `schemas/sql`: `roles.sql`, then a folder for each scope with `NNNN_<what>.sql`.
///
/// The scope `platform` is in every database, `control` in the control database alone, and each other one is a context,
/// whose files are run once for each of its schemas.
package struct MigrationFiles: Sendable {
    package struct File: Hashable, Sendable {
        package let scope: String
        package let number: Int
        package let name: String
        package let sql: String
        /// SHA-256 of the file in hex.
        package let checksum: String
        let concurrentIndex: ConcurrentIndex?

        init(scope: String, number: Int, name: String, sql: String) {
            self.scope = scope
            self.number = number
            self.name = name
            self.sql = sql
            checksum = SHA256.hash(data: Data(sql.utf8)).hex
            concurrentIndex = ConcurrentIndex(sql)
        }

        /// As it is named in reports: `orders/0001_orders.sql`.
        package var path: String { "\(scope)/\(name)" }
    }

    package static let platform = "platform"
    package static let control = "control"

    package let roles: String
    /// The platform's first, then scope by scope in the order of their numbers.
    package let files: [File]
    /// The folders besides `platform` and `control`.
    package let contexts: [String]

    package init(directory: URL) throws {
        roles = try Self.read(directory.appending(path: "roles.sql"))
        let entries = try Self.names(in: directory)
        let others = entries.filter { isPlainIdentifier($0) && $0 != Self.platform }.sorted()
        contexts = others.filter { $0 != Self.control }
        if let mistaken = contexts.first(where: { $0.contains("__") }) {
            throw MigrationError.badScope(mistaken)
        }
        var files: [File] = []
        for scope in (entries.contains(Self.platform) ? [Self.platform] : []) + others {
            files += try Self.files(of: scope, in: directory.appending(path: scope))
        }
        self.files = files
    }

    package func files(of scope: String) -> [File] {
        files.filter { $0.scope == scope }
    }

    /// The schemas of a database besides tenants' own, in the order in which they are made.
    func baseSchemas(control: Bool) -> [String] {
        [Self.platform] + (control ? [Self.control] : []) + contexts
    }

    private static func files(of scope: String, in folder: URL) throws -> [File] {
        var files: [File] = []
        for name in try names(in: folder).sorted() where name.hasSuffix(".sql") {
            let parts = name.split(separator: "_", maxSplits: 1)
            guard parts.count == 2, parts[0].utf8.count == 4, let number = Int(parts[0]), number > 0 else {
                throw MigrationError.badName("\(scope)/\(name)")
            }
            guard !files.contains(where: { $0.number == number }) else {
                throw MigrationError.duplicateNumber("\(scope)/\(name)")
            }
            let sql = try read(folder.appending(path: name))
            files.append(File(scope: scope, number: number, name: name, sql: sql))
        }
        return files
    }

    private static func names(in folder: URL) throws -> [String] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.path) else {
            throw MigrationError.unreadable(folder.path)
        }
        return names
    }

    private static func read(_ url: URL) throws -> String {
        guard let data = FileManager.default.contents(atPath: url.path), let text = String(data: data, encoding: .utf8)
        else { throw MigrationError.unreadable(url.path) }
        return text
    }
}

extension Sequence<UInt8> {
    /// Two lower-case digits for each byte.
    var hex: String {
        map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
