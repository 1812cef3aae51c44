import Kernel

extension Containment {
    mutating func checkObject(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        switch name {
        case "properties": checkProperties(of: node, known)
        case "required": checkRequired(value, of: node, known)
        case "additionalProperties":
            // A tolerant reader passes over what it doesn't know.
            if policy == .lenient, value == false { return }
            checkRest(
                of: node, known, names: Set(node.named("properties").map(\.name)),
                patterns: node.named("patternProperties").map(\.name), rule: .additionalProperties)
        case "unevaluatedProperties":
            if policy == .lenient, value == false { return }
            let parts = Conjunction(node.original).nodes
            if parts.contains(where: { $0["additionalProperties"] != nil }) { return }
            checkRest(
                of: node, known, names: Set(parts.flatMap { $0.named("properties") }.map(\.name)),
                patterns: parts.flatMap { $0.named("patternProperties") }.map(\.name), rule: .unevaluatedProperties)
        case "patternProperties": checkPatterns(of: node, known)
        case "propertyNames": checkNames(of: node, known)
        case "minProperties", "maxProperties":
            guard let limit = value.count else { return malformed(name, of: node) }
            let holds =
                name == "minProperties"
                ? known.smallestObject >= limit : known.largestObject.map { $0 <= limit } ?? false
            if holds { return }
            let which = name == "minProperties" ? "fewer" : "more"
            obstruct(
                Rule.judging(keyword: name), node.pointer(to: name),
                "\(writer) allows \(which) properties than \(name) \(limit)")
        case "dependentRequired":
            guard case .object(let object) = value else { return malformed(name, of: node) }
            for member in object.members where known.property(member.name) != nil {
                let lacking = (member.value.elements ?? []).compactMap(\.string).filter { needed in
                    !known.required.contains(needed) && !known.broughtAlong(by: member.name).contains(needed)
                }
                if lacking.isEmpty { continue }
                obstruct(
                    .dependentRequired, node.pointer(to: name),
                    "\(writer) allows \(member.name) without \(lacking.joined(separator: ", "))")
            }
        default:
            for (property, schema) in node.named("dependentSchemas") where known.property(property) != nil {
                let theirs = known.nodes.compactMap { $0.named("dependentSchemas", property) }
                if holds(known.conjunction.adding(theirs), in: Conjunction(schema)) { continue }
                obstruct(
                    .dependentSchemas, schema.pointer,
                    "\(writer) allows objects with \(property) that \(reader) doesn't take")
            }
        }
    }

    private mutating func checkRequired(_ value: JSON, of node: Node, _ known: Known) {
        guard let names = value.elements else { return malformed("required", of: node) }
        let required = known.required
        for name in names.compactMap(\.string) where !required.contains(name) {
            obstruct(
                .required, node.pointer(to: "required"),
                "\(writer) allows objects without \(name), which \(reader) requires"
                    + (node.named("properties", name)?["default"] == nil ? "" : "; a default doesn't put it there"))
        }
    }

    private mutating func checkProperties(of node: Node, _ known: Known) {
        for (name, schema) in node.named("properties") {
            guard let property = known.property(name) else { continue }
            let wanted = Conjunction(schema)
            if property.isNamed {
                check(property.conjunction, in: wanted)
            } else if !holds(property.conjunction, in: wanted) {
                obstruct(onlyReaders, schema.pointer, "\(writer) allows anything else under \(name)")
            }
        }
    }

    /// Holds everything that the reader doesn't name against what the reader says of the rest.
    private mutating func checkRest(
        of node: Node, _ known: Known, names: Set<String>, patterns: [String], rule: Rule
    ) {
        guard let rest = node.schema(rule == .additionalProperties ? "additionalProperties" : "unevaluatedProperties")
        else { return }
        let wanted = Conjunction(rest)
        if wanted.isOpen { return }
        for name in known.names where !names.contains(name) {
            if patterns.contains(where: { Pattern.matches($0, name) == true }) { continue }
            guard let property = known.property(name), !holds(property.conjunction, in: wanted) else { continue }
            let place = known.nodes.lazy.compactMap { $0.named("properties", name)?.pointer }.first
            obstruct(
                place == nil ? rule : onlyWriters, place ?? rest.pointer,
                wanted.isNever
                    ? "\(reader) takes no property \(name)" : "\(name) is not what \(reader) takes of other properties")
        }
        for (pattern, schema) in known.patterns where !patterns.contains(pattern) {
            if holds(Conjunction(schema), in: wanted) { continue }
            obstruct(rule, rest.pointer, "properties that match \(pattern) are not what \(reader) takes of others")
        }
        if let others = known.otherProperties, !others.isOpen, !wanted.isNever {
            check(others, in: wanted)
        } else if let others = known.otherProperties, !holds(others, in: wanted) {
            obstruct(
                rule, rest.pointer,
                wanted.isNever
                    ? "\(writer) allows properties that nothing names, \(reader) doesn't"
                    : "\(writer) allows other properties than \(reader)")
        }
    }

    private mutating func checkPatterns(of node: Node, _ known: Known) {
        for (pattern, schema) in node.named("patternProperties") {
            let wanted = Conjunction(schema)
            if wanted.isOpen { continue }
            if known.patterns.contains(where: { $0.pattern == pattern && holds(Conjunction($0.schema), in: wanted) }) {
                continue
            }
            let named = known.names.filter { Pattern.matches(pattern, $0) != false }.compactMap { known.property($0) }
            let others = known.patterns.map { Conjunction($0.schema) } + [known.otherProperties].compactMap(\.self)
            if (named.map(\.conjunction) + others).allSatisfy({ holds($0, in: wanted) }) { continue }
            obstruct(
                .patternProperties, schema.pointer,
                "\(writer) allows other values under names that match \(pattern)")
        }
    }

    private mutating func checkNames(of node: Node, _ known: Known) {
        guard let schema = node.schema("propertyNames") else { return }
        let wanted = Conjunction(schema)
        if wanted.isOpen { return }
        let string = Node(document: node.document, pointer: "/propertyNames/-", value: ["type": "string"])
        let given = known.nodes.compactMap { $0.schema("propertyNames") }
        if holds(Conjunction(given + [string]), in: wanted) { return }
        if let names = known.allNames, names.allSatisfy({ Evaluator.isValid(.string($0), wanted) == true }) { return }
        obstruct(.propertyNames, schema.pointer, "\(writer) allows other names of properties")
    }
}

extension Node {
    /// As it stands in the document, with what a conjunction may have taken away.
    fileprivate var original: Node { document.node.at(pointer: pointer) ?? self }
}
