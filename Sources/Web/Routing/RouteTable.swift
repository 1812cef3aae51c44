/// Finds the endpoint for a path: literal segments win over placeholders.
struct RouteTable<Target: Sendable>: Sendable {
    enum Match {
        case found(Target, values: [(name: String, value: String)])
        case wrongMethod(allowed: [String])
        case unknown
        /// The path holds an escape that is broken or no UTF-8.
        case unreadable
    }

    private var literals: [String: [String: Target]] = [:]
    private var root = Node()

    private struct Node: Sendable {
        var literals: [String: Node] = [:]
        var placeholder: [Node] = []
        var targets: [String: (target: Target, names: [String])] = [:]
    }

    /// False where the path and method are taken already.
    mutating func add(_ target: Target, method: Method, path: String) -> Bool {
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map(String.init)
        if !path.contains("{") {
            if literals[path]?[method.rawValue] != nil { return false }
            literals[path, default: [:]][method.rawValue] = target
        }
        let names = segments.compactMap(placeholderName)
        return Self.insert((target, names), method.rawValue, segments[...], into: &root)
    }

    private static func insert(
        _ entry: (Target, [String]), _ method: String, _ segments: ArraySlice<String>, into node: inout Node
    ) -> Bool {
        guard let segment = segments.first else {
            guard node.targets[method] == nil else { return false }
            node.targets[method] = entry
            return true
        }
        if placeholderName(segment) != nil {
            if node.placeholder.isEmpty { node.placeholder = [Node()] }
            return insert(entry, method, segments.dropFirst(), into: &node.placeholder[0])
        }
        return insert(entry, method, segments.dropFirst(), into: &node.literals[segment, default: Node()])
    }

    func find(method: String, path: String) -> Match {
        if let targets = literals[path], let target = targets[method] {
            return .found(target, values: [])
        }
        guard path.utf8.first == UInt8(ascii: "/") else { return .unknown }
        var segments: [String] = []
        for part in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let segment = percentDecoded(part) else { return .unreadable }
            segments.append(segment)
        }
        var values: [String] = []
        guard let node = Self.descend(root, segments[...], &values) else { return .unknown }
        guard let (target, names) = node.targets[method] else {
            return .wrongMethod(allowed: node.targets.keys.sorted())
        }
        return .found(target, values: Array(zip(names, values).map { (name: $0, value: $1) }))
    }

    private static func descend(_ node: Node, _ segments: ArraySlice<String>, _ values: inout [String]) -> Node? {
        guard let segment = segments.first else { return node.targets.isEmpty ? nil : node }
        if let next = node.literals[segment], let found = descend(next, segments.dropFirst(), &values) { return found }
        guard let next = node.placeholder.first, !segment.isEmpty else { return nil }
        values.append(segment)
        if let found = descend(next, segments.dropFirst(), &values) { return found }
        values.removeLast()
        return nil
    }
}

/// `id` for `{id}`.
func placeholderName(_ segment: some StringProtocol) -> String? {
    guard segment.hasPrefix("{"), segment.hasSuffix("}") else { return nil }
    return String(segment.dropFirst().dropLast())
}
