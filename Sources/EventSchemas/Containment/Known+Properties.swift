import Kernel

extension Known {
    /// What a property's value has to be, where it can be there at all.
    struct Property {
        let conjunction: Conjunction
        /// Whether a `properties` names it.
        let isNamed: Bool
    }

    private static let branching = [
        "anyOf", Conjunction.spentUnion, "oneOf", "if", "then", "else", "dependentSchemas",
    ]

    /// Nil where no document has it.
    func property(_ name: String) -> Property? {
        var parts: [Node] = []
        var isNamed = false
        var isDescribed = false
        var isTouched = false
        for node in nodes {
            var touched = false
            if let own = node.named("properties", name) {
                parts.append(own)
                (touched, isNamed, isDescribed) = (true, true, true)
            }
            for (pattern, schema) in node.named("patternProperties") {
                let matches = Pattern.matches(pattern, name)
                if matches == true { parts.append(schema) }
                if matches != false { (touched, isDescribed) = (true, true) }
            }
            if !touched, let rest = node.schema("additionalProperties") {
                parts.append(rest)
                isDescribed = isDescribed || rest.describesProperties
                touched = true
            }
            isTouched = isTouched || touched
        }
        if !isTouched, let rest = unevaluated {
            parts += rest
            isDescribed = isDescribed || rest.contains(where: \.describesProperties)
        }
        let conjunction = Conjunction(parts)
        if conjunction.isNever { return nil }
        if policy == .lenient, !isDescribed, !branchesDescribe(name) { return nil }
        return Property(conjunction: conjunction, isNamed: isNamed)
    }

    /// What properties have to be that nothing names, and that match no pattern; nil where there are none.
    var otherProperties: Conjunction? {
        let closing = nodes.compactMap { $0.schema("additionalProperties") } + (unevaluated ?? [])
        let conjunction = Conjunction(closing)
        if conjunction.isNever { return nil }
        if policy == .lenient, !closing.contains(where: \.describesProperties), !branchesDescribeOthers { return nil }
        return conjunction
    }

    /// Properties that are named anywhere, also where only some documents have them.
    var names: [String] {
        var names: [String] = []
        for node in nodes + branches { names += node.named("properties").map(\.name) }
        return names.reduce(into: []) { unique, name in if !unique.contains(name) { unique.append(name) } }
    }

    var patterns: [(pattern: String, schema: Node)] {
        nodes.flatMap { $0.named("patternProperties") }.map { ($0.name, $0.schema) }
    }

    /// With what those bring along that are there.
    var required: Set<String> {
        var required = Set(nodes.flatMap { $0["required"]?.elements ?? [] }.compactMap(\.string))
        var grows = true
        while grows {
            let more = Set(required.flatMap { broughtAlong(by: $0) })
            grows = !more.isSubset(of: required)
            required.formUnion(more)
        }
        return required
    }

    func broughtAlong(by name: String) -> [String] {
        nodes.flatMap { $0["dependentRequired"]?[name]?.elements ?? [] }.compactMap(\.string)
    }

    /// The properties that are counted for the size of an object that takes no others; nil where it takes any.
    var allNames: [String]? {
        guard patterns.isEmpty, otherProperties == nil else { return nil }
        return names.filter { property($0) != nil }
    }

    var smallestObject: Int { max(atLeast("minProperties"), required.count) }

    var largestObject: Int? { [atMost("maxProperties"), allNames?.count].compactMap(\.self).min() }

    // MARK: What only some documents have to be

    /// What unevaluated properties have to be, where that can be told without knowing which branch a document takes.
    private var unevaluated: [Node]? {
        let closing = nodes.compactMap { $0.schema("unevaluatedProperties") }
        guard !closing.isEmpty,
            !nodes.contains(where: { node in Self.branching.contains { node[$0] != nil } }),
            !nodes.contains(where: { $0["additionalProperties"] != nil })
        else { return nil }
        return closing
    }

    /// Every subschema in the same place that holds for some documents only.
    private var branches: [Node] {
        var found: [Node] = []
        var seen: Set<String> = []
        func visit(_ node: Node) {
            for part in Conjunction(node).nodes where seen.insert(part.id).inserted {
                found.append(part)
                visitBranches(of: part)
            }
        }
        func visitBranches(of node: Node) {
            for keyword in ["anyOf", Conjunction.spentUnion, "oneOf"] {
                for branch in node.schemas(keyword) ?? [] { visit(branch) }
            }
            for keyword in ["if", "then", "else"] { if let branch = node.schema(keyword) { visit(branch) } }
            for (_, schema) in node.named("dependentSchemas") { visit(schema) }
        }
        for node in nodes { visitBranches(of: node) }
        return found
    }

    private func branchesDescribe(_ name: String) -> Bool {
        branches.contains { $0.named("properties", name) != nil } || branchesDescribeOthers
    }

    private var branchesDescribeOthers: Bool {
        branches.contains { node in
            node["patternProperties"] != nil || node.schema("additionalProperties")?.describesProperties == true
                || node.schema("unevaluatedProperties")?.describesProperties == true
        }
    }
}

extension Node {
    /// A schema for properties that are not named describes them; `true` and `false` only let them in or keep them out.
    fileprivate var describesProperties: Bool {
        if case .bool = value { return false }
        return true
    }
}
