import Kernel

/// Subschemas that a value has to satisfy together: one with its references followed and its `allOf` taken apart.
struct Conjunction: Sendable {
    /// Objects alone. `$ref` and `allOf` in them have been seen to.
    private(set) var nodes: [Node] = []
    /// Places that allow nothing.
    private(set) var never: [Node] = []
    /// References that lead nowhere, and values that are no schemas.
    private(set) var unresolved: [Node] = []

    init() {}

    init(_ node: Node) { self.init([node]) }

    init(_ parts: [Node]) {
        var seen: Set<String> = []
        for part in parts { add(part, &seen) }
    }

    /// Whether nothing is asked for.
    var isOpen: Bool { nodes.isEmpty && never.isEmpty && unresolved.isEmpty }

    var isNever: Bool { !never.isEmpty }

    func adding(_ parts: [Node]) -> Conjunction {
        var seen = Set((nodes + unresolved).map(\.id))
        var sum = self
        for part in parts { sum.add(part, &seen) }
        return sum
    }

    /// Where `dropping` keeps an `anyOf`: a value may satisfy several of its branches, so that what the others describe
    /// may still be there.
    static let spentUnion = "x-spent-anyOf"

    /// The same, without the union that the node has.
    func dropping(_ keyword: String, of node: Node) -> Conjunction {
        var rest = self
        for index in rest.nodes.indices where rest.nodes[index].id == node.id {
            guard case .object(var object) = rest.nodes[index].value else { continue }
            if keyword == "anyOf" { object[Self.spentUnion] = object[keyword] }
            object[keyword] = nil
            rest.nodes[index] = Node(document: node.document, pointer: node.pointer, value: .object(object))
        }
        return rest
    }

    var key: String {
        let named = nodes.map { node in "\(node.id)?\(node.keywords.map(\.name).joined(separator: ","))" }
        return (named + (never + unresolved).map { "\($0.id)!" }).sorted().joined(separator: " ")
    }

    private mutating func add(_ node: Node, _ seen: inout Set<String>) {
        switch node.value {
        case .bool(true): return
        case .bool(false): never.append(node)
        case .object:
            guard seen.insert(node.id).inserted else { return }
            if node.keywords.contains(where: { !Keywords.isAnnotation($0.name) }) { nodes.append(node) }
            if let reference = node["$ref"] {
                if let target = reference.string.flatMap({ node.document.resolve($0) }) {
                    add(target, &seen)
                } else {
                    unresolved.append(node)
                }
            }
            if node["allOf"] != nil {
                guard let parts = node.schemas("allOf") else { return unresolved.append(node) }
                for part in parts { add(part, &seen) }
            }
        default: unresolved.append(node)
        }
    }
}
