import Foundation
package import Kernel

/// One JSON Schema with a name for messages.
package final class SchemaDocument: Sendable {
    package let name: String
    package let root: JSON
    /// Subschemas with an `$id` of their own have a base of their own, which references here don't follow.
    private let hasInnerBase: Bool

    package init(name: String, root: JSON) throws(SchemaUnreadable) {
        switch root {
        case .object, .bool: break
        default: throw SchemaUnreadable(name: name, reason: "a schema is an object or a boolean, not \(root.kind)")
        }
        self.name = name
        self.root = root
        hasInnerBase = Self.innerBase(in: root, isRoot: true)
    }

    package convenience init(name: String, text: some Sequence<UInt8>) throws(SchemaUnreadable) {
        let root: JSON
        do {
            root = try JSON.parse(text)
        } catch {
            throw SchemaUnreadable(name: name, reason: "\(error)")
        }
        try self.init(name: name, root: root)
    }

    var node: Node { Node(document: self, pointer: "", value: root) }

    /// Where a reference leads inside this document; nil where it leads out of it, or nowhere.
    func resolve(_ reference: String) -> Node? {
        guard !hasInnerBase else { return nil }
        var fragment = reference[...]
        if !fragment.hasPrefix("#") {
            guard let id = root["$id"]?.string, fragment.hasPrefix(id) else { return nil }
            fragment = fragment.dropFirst(id.count)
            guard fragment.isEmpty || fragment.hasPrefix("#") else { return nil }
        }
        fragment = fragment.dropFirst()
        if fragment.isEmpty { return node }
        guard let text = String(fragment).removingPercentEncoding else { return nil }
        return text.hasPrefix("/") ? node.at(pointer: text) : anchored(text, in: node)
    }

    private func anchored(_ name: String, in node: Node) -> Node? {
        if node.value["$anchor"]?.string == name { return node }
        for child in node.children {
            if let found = anchored(name, in: child) { return found }
        }
        return nil
    }

    private static func innerBase(in value: JSON, isRoot: Bool) -> Bool {
        switch value {
        case .object(let object):
            if !isRoot, case .string? = object["$id"] { return true }
            // Values of these are data, not schemas.
            return object.members.contains { member in
                !["const", "enum", "examples", "default"].contains(member.name)
                    && innerBase(in: member.value, isRoot: false)
            }
        case .array(let elements): return elements.contains { innerBase(in: $0, isRoot: false) }
        default: return false
        }
    }
}

/// A text that is no schema, and where it stops being one.
package struct SchemaUnreadable: Error, Hashable, CustomStringConvertible {
    package let name: String
    package let reason: String

    package init(name: String, reason: String) {
        self.name = name
        self.reason = reason
    }

    package var description: String { "\(name): \(reason)" }
}
