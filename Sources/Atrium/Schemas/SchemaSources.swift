import EventSchemas
import Foundation
import Kernel

/// Reads published languages and their settings, from the disk and from git.
struct SchemaSources: Sendable {
    /// The folder that holds `events` and `compatibility.json`.
    let root: URL

    static let settingsFile = "compatibility.json"

    var events: URL { root.appending(path: "events") }

    /// Where `ATRIUM_SCHEMAS` says, in the working folder, or above the program.
    init(folder: String?) async throws {
        if let folder {
            root = URL(filePath: folder)
            return
        }
        var settings = SettingsReader(try await ServerConfiguration.reader(file: nil))
        guard let found = settings.folder("schemas") else { throw ConfigurationMistakes(settings.mistakes) }
        root = found
    }

    func current() throws -> PublishedLanguage {
        guard let names = FileManager.default.enumerator(atPath: events.path) else {
            throw SchemaUnreadable(name: events.path, reason: "there is no such folder")
        }
        var schemas: [String: SchemaDocument] = [:]
        for case let path as String in names where path.hasSuffix(".json") {
            schemas[path] = try Self.file(events.appending(path: path).path, named: "events/\(path)")
        }
        return PublishedLanguage(schemas)
    }

    func settings() throws -> CompatibilitySettings {
        let path = root.appending(path: Self.settingsFile).path
        guard let bytes = FileManager.default.contents(atPath: path) else { return CompatibilitySettings() }
        do {
            return try CompatibilitySettings(name: Self.settingsFile, try JSON.parse(bytes))
        } catch let error as JSONError {
            throw SchemaUnreadable(name: Self.settingsFile, reason: "\(error)")
        }
    }

    static func file(_ path: String, named name: String? = nil) throws -> SchemaDocument {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw SchemaUnreadable(name: name ?? path, reason: "it can't be read")
        }
        return try SchemaDocument(name: name ?? path, text: bytes)
    }

    /// As a commit has it; the schemas are named after the commit.
    static func language(of repository: GitRepository, at commit: String, named name: String) async throws
        -> PublishedLanguage
    {
        var schemas: [String: SchemaDocument] = [:]
        for (path, bytes) in try await repository.files(at: commit) where path.hasSuffix(".json") {
            schemas[path] = try SchemaDocument(name: "\(name):\(path)", text: bytes)
        }
        return PublishedLanguage(schemas)
    }

    /// Earlier states of the files that have changed; one that is no schema was nobody's contract.
    static func history(
        of repository: GitRepository, upTo commit: String, old: PublishedLanguage, new: PublishedLanguage
    ) async throws -> [String: [SchemaDocument]] {
        var history: [String: [SchemaDocument]] = [:]
        for (path, before) in old.schemas {
            guard let after = new.schemas[path], after.root != before.root else { continue }
            history[path] = try await repository.states(of: path, upTo: commit).compactMap { state in
                let schema = try? SchemaDocument(name: "\(state.commit):\(path)", text: state.bytes)
                return schema?.root == before.root ? nil : schema
            }
        }
        return history
    }
}
