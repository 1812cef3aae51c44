import Kernel

/// A subschema in its place.
struct Node: Sendable {
    let document: SchemaDocument
    /// JSON Pointer from the document's root.
    let pointer: String
    let value: JSON

    var id: String { "\(ObjectIdentifier(document).hashValue)\(pointer)" }

    var keywords: [JSONObject.Member] {
        guard case .object(let object) = value else { return [] }
        return object.members
    }

    subscript(keyword: String) -> JSON? { value[keyword] }

    /// The one schema that the keyword holds.
    func schema(_ keyword: String) -> Node? { value[keyword].map { child([keyword], $0) } }

    /// The schemas that the keyword lists; nil where it isn't a list.
    func schemas(_ keyword: String) -> [Node]? {
        value[keyword]?.elements?.enumerated().map { child([keyword, String($0.offset)], $0.element) }
    }

    /// The schemas that the keyword holds by name, in their order.
    func named(_ keyword: String) -> [(name: String, schema: Node)] {
        guard case .object(let object)? = value[keyword] else { return [] }
        return object.members.map { ($0.name, child([keyword, $0.name], $0.value)) }
    }

    func named(_ keyword: String, _ name: String) -> Node? {
        value[keyword]?[name].map { child([keyword, name], $0) }
    }

    /// Every direct subschema.
    var children: [Node] {
        keywords.flatMap { keyword -> [Node] in
            if Keywords.schema.contains(keyword.name) { return [child([keyword.name], keyword.value)] }
            if Keywords.schemaList.contains(keyword.name) { return schemas(keyword.name) ?? [] }
            return Keywords.schemaMap.contains(keyword.name) ? named(keyword.name).map(\.schema) : []
        }
    }

    func at(pointer: String) -> Node? {
        var node = self
        for part in pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            let name = String(part).replacing("~1", with: "/").replacing("~0", with: "~")
            let next: JSON?
            switch node.value {
            case .object(let object): next = object[name]
            case .array: next = Int(name).flatMap { node.value[$0] }
            default: next = nil
            }
            guard let next else { return nil }
            node = node.child([name], next)
        }
        return node
    }

    func pointer(to keyword: String) -> String { pointer + "/" + Self.escape(keyword) }

    private func child(_ path: [String], _ value: JSON) -> Node {
        Node(document: document, pointer: pointer + path.map { "/" + Self.escape($0) }.joined(), value: value)
    }

    static func escape(_ name: String) -> String { name.replacing("~", with: "~0").replacing("/", with: "~1") }
}
