import Foundation
import TestSupport

/// The project's files, or a few planted ones in their place.
struct SourceTree {
    /// Text by path from the project's root.
    var files: [String: String]

    static func project() throws -> SourceTree {
        let root = Places.packageRoot
        var files: [String: String] = [:]
        for folder in ["Sources", "Modules", "schemas/sql"] {
            guard let names = FileManager.default.enumerator(atPath: root.appending(path: folder).path) else {
                continue
            }
            for case let name as String in names where name.hasSuffix(".swift") || name.hasSuffix(".sql") {
                let path = "\(folder)/\(name)"
                files[path] = try String(contentsOf: root.appending(path: path), encoding: .utf8)
            }
        }
        files["Package.swift"] = try String(contentsOf: root.appending(path: "Package.swift"), encoding: .utf8)
        return SourceTree(files: files)
    }

    func planting(_ path: String, _ text: String) -> SourceTree {
        var tree = self
        tree.files[path] = text
        return tree
    }

    func removing(_ isGone: (String) -> Bool) -> SourceTree {
        SourceTree(files: files.filter { !isGone($0.key) })
    }

    /// Swift files below a folder, in the order of their paths.
    func swift(below folder: String) -> [(path: String, text: String)] {
        files.filter { $0.key.hasPrefix(folder + "/") && $0.key.hasSuffix(".swift") }
            .sorted { $0.key < $1.key }.map { (path: $0.key, text: $0.value) }
    }

    /// The contexts that have a folder.
    var contexts: [String] {
        Set(files.keys.filter { $0.hasPrefix("Modules/") }.map { String($0.split(separator: "/")[1]) }).sorted()
    }
}
