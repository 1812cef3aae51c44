package import Foundation
import Kernel

/// The Swift files that the schemas ask for, and how those in place compare.
package struct ContractFiles: Sendable {
    /// Text by path from the project's root.
    package let texts: [String: String]

    package init(_ schemas: [EventSchema]) throws(SchemaMistake) {
        var texts: [String: String] = [:]
        var events: [String: [EventContract]] = [:]
        for schema in schemas {
            events[schema.context, default: []].append(try ContractReader(schema: schema).contract())
        }
        for (context, contracts) in events {
            let folder = Self.folder(of: context)
            var declared: [String: (ContractDeclaration, EventContract)] = [:]
            for contract in contracts {
                texts["\(folder)/\(contract.name).swift"] = ContractWriter.event(contract)
                for declaration in contract.properties.flatMap(\.type.declarations) {
                    if let (other, user) = declared[declaration.name], other != declaration {
                        throw SchemaMistake(
                            contract.schema.path, "",
                            "\(declaration.name) is not what \(user.schema.path) means by that name: give it another")
                    }
                    declared[declaration.name] = (declaration, contract)
                }
            }
            for (declaration, user) in declared.values {
                guard texts["\(folder)/\(declaration.name).swift"] == nil else {
                    throw SchemaMistake(user.schema.path, "", "\(declaration.name) is the name of an event already")
                }
                texts["\(folder)/\(declaration.name).swift"] = ContractWriter.declaration(declaration)
            }
            texts["\(folder)/\(context.capitalized)Language.swift"] = ContractWriter.language(context, contracts)
        }
        self.texts = texts
    }

    private static func folder(of context: String) -> String { "Modules/\(context.capitalized)/Contracts/Generated" }

    /// What the project's files would have to become, one sentence a file.
    package func differences(below root: URL) throws -> [String] {
        var found: [String] = []
        for (path, text) in texts {
            let there = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
            if there == nil {
                found.append("\(path) is missing")
            } else if there != text {
                found.append("\(path) is not what the schemas say")
            }
        }
        return (found + leftovers(below: root).map { "\($0) has no schema" }).sorted()
    }

    /// Writes what is different, and removes what was written before and no schema asks for any more; answers the paths.
    package func write(below root: URL) throws -> [String] {
        var changed: [String] = []
        for (path, text) in texts.sorted(by: { $0.key < $1.key }) {
            let file = root.appending(path: path)
            guard (try? String(contentsOf: file, encoding: .utf8)) != text else { continue }
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file, options: .atomic)
            changed.append(path)
        }
        for path in leftovers(below: root) {
            try FileManager.default.removeItem(at: root.appending(path: path))
            changed.append(path)
        }
        return changed.sorted()
    }

    /// What lies in the generated folders without having been generated: it stays, whatever it is.
    package func strangers(below root: URL) -> [String] {
        others(below: root).filter { !Self.isGenerated(root.appending(path: $0)) }
    }

    private func leftovers(below root: URL) -> [String] {
        others(below: root).filter { Self.isGenerated(root.appending(path: $0)) }
    }

    private static func isGenerated(_ file: URL) -> Bool {
        (try? String(contentsOf: file, encoding: .utf8))?.hasPrefix(ContractWriter.header) == true
    }

    /// What nothing asks for in the generated folders.
    private func others(below root: URL) -> [String] {
        let modules =
            (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Modules").path())) ?? []
        return modules.flatMap { module in
            let folder = "Modules/\(module)/Contracts/Generated"
            let names =
                (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path())) ?? []
            return names.map { "\(folder)/\($0)" }
        }.filter { texts[$0] == nil }.sorted()
    }
}
