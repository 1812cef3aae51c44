import Kernel

/// Why documents of one schema may not be documents of another.
struct Obstacle: Hashable {
    let rule: Rule
    let pointer: String
    let reason: String
    /// `breaking` or `undecided`.
    let verdict: Verdict
}

/// Asks whether every document that the writer's schema allows is one that the reader's schema takes.
///
/// Each keyword of the reader has to follow from what is known of the writer; what doesn't is an obstacle. Leaving a
/// keyword of the writer out of account can only add obstacles, so that "none" can be relied on.
struct Containment {
    let direction: Direction
    let policy: CompatibilityPolicy
    private(set) var obstacles: [Obstacle] = []
    /// Pairs under comparison: a recursive schema comes back to them, and may take them for granted.
    private var open: Set<String> = []
    private var steps = 0
    private var splits = 0
    private static let stepLimit = 100_000

    init(_ direction: Direction, _ policy: CompatibilityPolicy) {
        self.direction = direction
        self.policy = policy
    }

    var writer: String { direction == .backward ? "the old schema" : "the new schema" }
    var reader: String { direction == .backward ? "the new schema" : "the old schema" }
    /// What it is that only the writer has, and that only the reader has.
    var onlyWriters: Rule { direction == .backward ? .propertyRemoved : .propertyAdded }
    var onlyReaders: Rule { direction == .backward ? .propertyAdded : .propertyRemoved }

    func known(_ conjunction: Conjunction) -> Known { Known(conjunction: conjunction, policy: policy) }

    mutating func obstruct(_ rule: Rule, _ pointer: String, _ reason: String, _ verdict: Verdict = .breaking) {
        obstacles.append(Obstacle(rule: rule, pointer: pointer, reason: reason, verdict: verdict))
    }

    /// The same question, whose obstacles nobody is told of.
    mutating func holds(_ sub: Conjunction, in sup: Conjunction) -> Bool {
        let mark = obstacles.count
        check(sub, in: sup)
        defer { obstacles.removeLast(obstacles.count - mark) }
        return obstacles.count == mark
    }

    mutating func check(_ sub: Conjunction, in sup: Conjunction) {
        steps += 1
        guard steps < Self.stepLimit else {
            if steps == Self.stepLimit {
                obstruct(.reference, "", "the schemas are too entangled to be compared", .undecided)
            } else if obstacles.isEmpty {
                obstruct(.reference, "", "the schemas are too entangled to be compared", .undecided)
            }
            return
        }
        let pair = "\(sub.key) in \(sup.key)"
        guard open.insert(pair).inserted else { return }
        defer { open.remove(pair) }
        let mark = obstacles.count
        compare(sub, sup)
        // What the writer refers to may rule out what seems to be allowed.
        guard let unknown = sub.unresolved.first, obstacles.count > mark else { return }
        let reasons = obstacles.dropFirst(mark).map(\.reason).joined(separator: "; ")
        obstacles.removeLast(obstacles.count - mark)
        obstruct(
            .reference, unknown["$ref"] == nil ? unknown.pointer : unknown.pointer(to: "$ref"),
            "what stands here can't be followed inside \(writer), and without it: \(reasons)", .undecided)
    }

    private mutating func compare(_ sub: Conjunction, _ sup: Conjunction) {
        let known = known(sub)
        if known.types.isEmpty { return }
        for node in sup.unresolved where !sub.unresolved.contains(where: { SameMeaning.holds($0, node) }) {
            if let reference = node["$ref"] {
                obstruct(
                    .reference, node.pointer(to: "$ref"), "\(reference) can't be followed inside \(reader)", .undecided)
            } else if node["allOf"] != nil {
                malformed("allOf", of: node)
            } else {
                obstruct(.keyword, node.pointer, "what \(reader) has here is no schema", .undecided)
            }
        }
        for node in sup.never {
            obstruct(.boolean, node.pointer, "\(reader) allows nothing here, \(writer) does")
        }
        if let values = known.values, values.allSatisfy({ Evaluator.isValid($0, sup) == true }) { return }
        for node in sup.nodes where !sub.nodes.contains(where: { SameMeaning.holds($0, node) }) {
            checkSplitting(known, in: node)
        }
    }

    /// Tries one branch of the writer after the other where all of them together don't fit.
    private mutating func checkSplitting(_ known: Known, in node: Node) {
        let mark = obstacles.count
        checkKeywords(of: node, known)
        guard obstacles.count > mark, splits < 4 else { return }
        let reader = Conjunction(node).withoutReferences
        for branching in known.nodes {
            for keyword in ["oneOf", "anyOf"] {
                guard let branches = branching.schemas(keyword), !branches.isEmpty else { continue }
                let rest = known.conjunction.dropping(keyword, of: branching)
                splits += 1
                defer { splits -= 1 }
                if branches.allSatisfy({ holds(rest.adding([$0]), in: reader) }) {
                    obstacles.removeLast(obstacles.count - mark)
                    return
                }
            }
        }
    }

    private mutating func checkKeywords(of node: Node, _ known: Known) {
        let types = known.types
        for keyword in node.keywords {
            switch keyword.name {
            case "type", "enum", "const": checkKind(keyword.name, keyword.value, of: node, known)
            case "minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf":
                if !types.isDisjoint(with: .number) { checkNumber(keyword.name, keyword.value, of: node, known) }
            case "minLength", "maxLength", "pattern", "contentEncoding", "contentMediaType", "contentSchema":
                if types.contains(.string) { checkString(keyword.name, keyword.value, of: node, known) }
            case "format": checkFormat(keyword.value, of: node, known)
            case "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
                "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties":
                if types.contains(.object) { checkObject(keyword.name, keyword.value, of: node, known) }
            case "items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains", "unevaluatedItems":
                if types.contains(.array) { checkArray(keyword.name, keyword.value, of: node, known) }
            case "anyOf", "oneOf", "not", "if": checkLogic(keyword.name, of: node, known)
            // Seen to with their neighbours, or by the conjunction.
            case "then", "else", "minContains", "maxContains", "$ref", "allOf", "$dynamicAnchor": break
            case "$schema" where node.pointer.isEmpty: break
            default:
                if !Keywords.isAnnotation(keyword.name) { checkUnknown(keyword.name, keyword.value, of: node, known) }
            }
        }
    }

    private mutating func checkUnknown(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        if !name.hasPrefix("$"), known.nodes.contains(where: { $0[name]?.isSame(as: value) == true }) { return }
        obstruct(
            Rule.judging(keyword: name), node.pointer(to: name),
            "what \(name) means for the documents of \(writer) is not known here", .undecided)
    }

    private mutating func checkKind(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        let pointer = node.pointer(to: name)
        if name == "type" {
            guard let types = Types(keyword: value) else { return malformed(name, of: node) }
            let more = known.types.subtracting(types)
            if !more.isEmpty { obstruct(.type, pointer, "\(writer) allows \(more.text), which \(reader) doesn't") }
            return
        }
        guard let listed = name == "const" ? [value] : value.elements else { return malformed(name, of: node) }
        let rule = Rule.judging(keyword: name)
        guard let values = known.values else {
            return obstruct(rule, pointer, "\(writer) allows more values than \(reader) lists")
        }
        let more = values.filter { value in !listed.contains { $0.isSame(as: value) } }
        guard !more.isEmpty else { return }
        let shown = more.prefix(3).map(\.description).joined(separator: ", ") + (more.count > 3 ? ", …" : "")
        obstruct(rule, pointer, "\(writer) allows \(shown), which \(reader) doesn't")
    }

    mutating func malformed(_ name: String, of node: Node) {
        obstruct(
            Rule.judging(keyword: name), node.pointer(to: name),
            "\(name) of \(reader) is not what JSON Schema 2020-12 takes",
            .undecided)
    }
}

extension Conjunction {
    /// For a node whose references and `allOf` have been taken apart already.
    fileprivate var withoutReferences: Conjunction {
        var own = Conjunction()
        if let node = nodes.first {
            own = Conjunction(
                Node(document: node.document, pointer: node.pointer, value: node.value.keepingOwnKeywords))
        }
        return own
    }
}

extension JSON {
    fileprivate var keepingOwnKeywords: JSON {
        guard case .object(var object) = self else { return self }
        object["$ref"] = nil
        object["allOf"] = nil
        return .object(object)
    }
}
