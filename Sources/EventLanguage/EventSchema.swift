import EventSchemas
package import Foundation
package import Kernel

/// One version of one event as `schemas/events/<context>/<aggregate>.<fact>.v<N>.json` describes it.
package struct EventSchema: Sendable {
    /// From the folder of event schemas, such as `orders/order.placed.v1.json`.
    package let path: String
    package let context: String
    /// Such as `order.placed`.
    package let fact: String
    package let version: Int
    package let title: String
    /// What happened, without the remark on unknown properties that ends every schema's description.
    package let summary: String
    /// What is different from the version before, in words for those who are to move.
    package let changes: String?
    package let deprecation: EventDeprecation?
    package let examples: [JSON]
    package let document: JSON

    /// The CloudEvents type.
    package var type: String { "\(context).\(fact).v\(version)" }
    /// The type without its version: what all versions of an event have in common.
    package var family: String { "\(context).\(fact)" }

    /// - Parameter path: from the folder of event schemas.
    package init(path: String, bytes: [UInt8]) throws(SchemaMistake) {
        self.path = path
        guard let name = FactVersion(path: path) else {
            throw SchemaMistake(path, "", "the file is not named <context>/<aggregate>.<fact>.v<N>.json")
        }
        (context, fact, version) = (name.context, name.fact, name.version)
        do {
            document = try JSON.parse(bytes)
        } catch {
            throw SchemaMistake(path, "", "the file is not JSON: \(error)")
        }
        let reader = SchemaReader(path: path, pointer: "", json: document)
        title = try reader.required("title")
        summary = try reader.required("description")
            .replacing(" Readers ignore properties they do not know.", with: "")
        changes = try reader.optional("x-changes")
        do {
            deprecation = try Deprecation(in: document).map {
                EventDeprecation(from: $0.from, sunset: $0.sunset, migration: $0.migration)
            }
        } catch {
            throw SchemaMistake(path, error.pointer, error.reason)
        }
        examples = document["examples"]?.elements ?? []
    }

    /// Every schema below a folder, by context, fact and version.
    package static func all(below folder: URL) throws -> [EventSchema] {
        let names = FileManager.default.enumerator(atPath: folder.path(percentEncoded: false))?.allObjects
        let paths = (names as? [String] ?? []).filter { $0.hasSuffix(".json") }
        guard !paths.isEmpty else {
            throw SchemaMistake(folder.path(percentEncoded: false), "", "there are no event schemas here")
        }
        return try paths.map { path in
            try EventSchema(path: path, bytes: Array(Data(contentsOf: folder.appending(path: path))))
        }.sorted { ($0.context, $0.fact, $0.version) < ($1.context, $1.fact, $1.version) }
    }
}

/// A schema that contracts can't be made from, by file and JSON Pointer.
package struct SchemaMistake: Error, Hashable, CustomStringConvertible {
    package let file: String
    package let pointer: String
    package let reason: String

    package init(_ file: String, _ pointer: String, _ reason: String) {
        self.file = file
        self.pointer = pointer
        self.reason = reason
    }

    package var description: String { "\(file)#\(pointer): \(reason)" }
}

/// A place in a schema, which knows how to name itself.
struct SchemaReader {
    let path: String
    let pointer: String
    let json: JSON

    func mistake(_ reason: String) -> SchemaMistake { SchemaMistake(path, pointer, reason) }

    func member(_ name: String) -> SchemaReader? {
        let token = name.replacing("~", with: "~0").replacing("/", with: "~1")
        return json[name].map { SchemaReader(path: path, pointer: "\(pointer)/\(token)", json: $0) }
    }

    func required(_ name: String) throws(SchemaMistake) -> String {
        guard let text = try optional(name) else { throw mistake("\(name) is missing") }
        return text
    }

    func optional(_ name: String) throws(SchemaMistake) -> String? {
        guard let member = member(name) else { return nil }
        guard let text = member.json.string, !text.isEmpty else { throw member.mistake("is not text") }
        return text
    }

    /// Text of an array that holds nothing else.
    func texts(_ name: String) throws(SchemaMistake) -> [String]? {
        guard let member = member(name) else { return nil }
        guard let elements = member.json.elements else { throw member.mistake("is not an array") }
        let texts = elements.compactMap(\.string)
        guard texts.count == elements.count else { throw member.mistake("holds something else than text") }
        return texts
    }

    /// The members of an object, in the order they were written.
    func members(_ name: String) throws(SchemaMistake) -> [(name: String, schema: SchemaReader)] {
        guard let member = member(name) else { return [] }
        guard case .object(let object) = member.json else { throw member.mistake("is not an object") }
        return object.members.compactMap { entry in member.member(entry.name).map { (entry.name, $0) } }
    }
}
