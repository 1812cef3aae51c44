import Kernel

extension Containment {
    mutating func checkArray(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        let pointer = node.pointer(to: name)
        switch name {
        case "items":
            guard let schema = node.schema(name), value.elements == nil else { return malformed(name, of: node) }
            checkItems(from: node.schemas("prefixItems")?.count ?? 0, in: schema, known, rule: .items)
        case "prefixItems":
            guard let prefix = node.schemas(name) else { return malformed(name, of: node) }
            for (index, schema) in prefix.enumerated() { checkItem(index, in: schema, known, rule: .prefixItems) }
        case "unevaluatedItems":
            let parts = Conjunction(node.document.node.at(pointer: node.pointer) ?? node).nodes
            if parts.contains(where: { $0["items"] != nil }) { return }
            guard let schema = node.schema(name) else { return }
            checkItems(
                from: parts.map { $0.schemas("prefixItems")?.count ?? 0 }.max() ?? 0, in: schema, known,
                rule: .unevaluatedItems)
        case "minItems", "maxItems":
            guard let limit = value.count else { return malformed(name, of: node) }
            let holds =
                name == "minItems" ? known.atLeast(name) >= limit : known.largestArray.map { $0 <= limit } ?? false
            if holds { return }
            let which = name == "minItems" ? "shorter" : "longer"
            obstruct(Rule.judging(keyword: name), pointer, "\(writer) allows \(which) arrays than \(name) \(limit)")
        case "uniqueItems":
            if value == false || known.nodes.contains(where: { $0[name] == true }) { return }
            if let largest = known.largestArray, largest <= 1 { return }
            obstruct(.uniqueItems, pointer, "\(writer) allows an element more than once")
        default: checkContains(of: node, known)
        }
    }

    private mutating func checkItems(from first: Int, in schema: Node, _ known: Known, rule: Rule) {
        let end = max(first, known.longestPrefix)
        for index in first..<end { checkItem(index, in: schema, known, rule: rule) }
        checkItem(end, in: schema, known, rule: rule)
    }

    private mutating func checkItem(_ index: Int, in schema: Node, _ known: Known, rule: Rule) {
        guard let item = known.item(index) else { return }
        let wanted = Conjunction(schema)
        if !item.isOpen, !wanted.isNever { return check(item, in: wanted) }
        if holds(item, in: wanted) { return }
        obstruct(
            rule, schema.pointer,
            wanted.isNever
                ? "\(writer) allows an element here, \(reader) doesn't" : "\(writer) allows any element here")
    }

    private mutating func checkContains(of node: Node, _ known: Known) {
        guard let schema = node.schema("contains") else { return }
        let wanted = Conjunction(schema)
        func count(_ keyword: String, _ node: Node) -> Int? { node[keyword].flatMap(\.count) }
        let least = node["minContains"] == nil ? 1 : count("minContains", node)
        guard let least, node["maxContains"] == nil || count("maxContains", node) != nil else {
            return malformed("contains", of: node)
        }
        let theirs = known.nodes.filter { $0["contains"] != nil }
        var enough = least == 0
        // Where every element will do, there have to be enough of them.
        if !enough, known.atLeast("minItems") >= least {
            enough = (0...known.longestPrefix).allSatisfy { index in
                known.item(index).map { holds($0, in: wanted) } ?? true
            }
        }
        for other in theirs where !enough {
            guard (other["minContains"] == nil ? 1 : count("minContains", other) ?? 0) >= least,
                let schema = other.schema("contains")
            else { continue }
            enough = holds(Conjunction(schema), in: wanted)
        }
        if !enough {
            obstruct(.contains, schema.pointer, "\(writer) allows arrays without as many elements of this kind")
        }
        guard let most = count("maxContains", node) else { return }
        var few = known.largestArray.map { $0 <= most } ?? false
        for other in theirs where !few {
            guard let limit = count("maxContains", other), limit <= most, let schema = other.schema("contains") else {
                continue
            }
            few = strictly(wanted, in: Conjunction(schema))
        }
        if !few {
            obstruct(.contains, node.pointer(to: "maxContains"), "\(writer) allows more elements of this kind")
        }
    }
}
