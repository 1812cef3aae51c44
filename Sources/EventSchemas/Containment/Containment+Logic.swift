import Kernel

extension Containment {
    mutating func checkLogic(_ name: String, of node: Node, _ known: Known) {
        switch name {
        case "anyOf": checkAnyOf(of: node, known)
        case "oneOf": checkOneOf(of: node, known)
        case "not": checkNot(of: node, known)
        default: checkConditional(of: node, known)
        }
    }

    /// What the writer allows, in parts that may fit one branch each; each with what it certainly is not.
    private func parts(_ known: Known) -> [(part: Conjunction, not: [Node])] {
        for node in known.nodes {
            for keyword in ["oneOf", "anyOf"] {
                guard let branches = node.schemas(keyword), branches.count > 1 else { continue }
                let rest = known.conjunction.dropping(keyword, of: node)
                return branches.enumerated().map { index, branch in
                    let others = branches.enumerated().filter { $0.offset != index }.map(\.element)
                    return (rest.adding([branch]), keyword == "oneOf" ? others : [])
                }
            }
        }
        guard let node = known.nodes.first else { return [(known.conjunction, [])] }
        if let values = known.values {
            return values.map { value in
                let only = Node(document: node.document, pointer: "\(node.pointer)=\(value)", value: ["const": value])
                return (known.conjunction.adding([only]), [])
            }
        }
        let kinds: [(String, Types)] = [
            ("null", .null), ("boolean", .boolean), ("number", .number), ("string", .string), ("array", .array),
            ("object", .object),
        ]
        return kinds.filter { !known.types.isDisjoint(with: $0.1) }.map { name, _ in
            let kind: JSON = ["type": .string(name)]
            let only = Node(document: node.document, pointer: "\(node.pointer):\(name)", value: kind)
            return (known.conjunction.adding([only]), [])
        }
    }

    private mutating func checkAnyOf(of node: Node, _ known: Known) {
        guard let branches = node.schemas("anyOf"), !branches.isEmpty else { return malformed("anyOf", of: node) }
        if branches.count == 1 { return check(known.conjunction, in: Conjunction(branches[0])) }
        let wanted = branches.map { Conjunction($0) }
        for branch in wanted where holds(known.conjunction, in: branch) { return }
        let stray = parts(known).count { part in !wanted.contains { holds(part.part, in: $0) } }
        if stray == 0 { return }
        obstruct(
            .anyOf, node.pointer(to: "anyOf"), "\(writer) allows what fits none of the branches of \(reader)")
    }

    private mutating func checkOneOf(of node: Node, _ known: Known) {
        guard let branches = node.schemas("oneOf"), !branches.isEmpty else { return malformed("oneOf", of: node) }
        if branches.count == 1 { return check(known.conjunction, in: Conjunction(branches[0])) }
        for other in known.nodes {
            guard let theirs = other.schemas("oneOf"), theirs.count == branches.count else { continue }
            // The same branches in another order are the same.
            if theirs.allSatisfy({ one in branches.count { SameMeaning.holds(one, $0) } == 1 }) { return }
        }
        var worst = Verdict.compatible
        for (part, excluded) in parts(known) {
            worst = Verdict.worst(worst, fit(part, excluded, in: branches))
        }
        // Taken as one, the writer's values may fit a branch that its parts, seen apart, do not.
        if worst != .compatible, fit(known.conjunction, [], in: branches) == .compatible { return }
        switch worst {
        case .compatible: break
        case .undecided:
            obstruct(
                .oneOf, node.pointer(to: "oneOf"),
                "whether what \(writer) allows fits one branch of \(reader) and not two can't be told", .undecided)
        case .breaking:
            obstruct(.oneOf, node.pointer(to: "oneOf"), "\(writer) allows what fits none of the branches of \(reader)")
        }
    }

    private mutating func fit(_ part: Conjunction, _ excluded: [Node], in branches: [Node]) -> Verdict {
        if known(part).types.isEmpty { return .compatible }
        var fits = false
        for (index, branch) in branches.enumerated() where holds(part, in: Conjunction(branch)) {
            fits = true
            let others = branches.enumerated().filter { $0.offset != index }.map(\.element)
            let alone = others.allSatisfy { other in
                Disjointness.holds(part, Conjunction(other))
                    || excluded.contains { strictly(Conjunction(other), in: Conjunction($0)) }
            }
            if alone { return .compatible }
        }
        return fits ? .undecided : .breaking
    }

    /// Whether a schema of the reader lies inside one of the writer, every property counted.
    mutating func strictly(_ sub: Conjunction, in sup: Conjunction) -> Bool {
        var question = Containment(direction, .strict)
        return question.holds(sub, in: sup)
    }

    private mutating func checkNot(of node: Node, _ known: Known) {
        guard let refused = node.schema("not") else { return }
        if Disjointness.holds(known.conjunction, Conjunction(refused)) { return }
        for other in known.nodes {
            if let theirs = other.schema("not"), strictly(Conjunction(refused), in: Conjunction(theirs)) { return }
        }
        obstruct(
            .not, node.pointer(to: "not"), "whether \(writer) allows what \(reader) refuses here can't be told",
            .undecided)
    }

    private mutating func checkConditional(of node: Node, _ known: Known) {
        guard let condition = node.schema("if") else { return }
        let (then, otherwise) = (node.schema("then"), node.schema("else"))
        let thenWanted = then.map { Conjunction($0) } ?? Conjunction()
        let otherwiseWanted = otherwise.map { Conjunction($0) } ?? Conjunction()
        let conditionWanted = Conjunction(condition)
        if thenWanted.isOpen, otherwiseWanted.isOpen { return }
        let always = strictly(known.conjunction, in: conditionWanted)
        let never = Disjointness.holds(known.conjunction, conditionWanted)
        let fitsThen = never || holds(known.conjunction.adding([condition]), in: thenWanted)
        let fitsOtherwise = always || holds(known.conjunction, in: otherwiseWanted)
        if fitsThen, fitsOtherwise { return }
        for other in known.nodes {
            guard let theirs = other.schema("if"), SameMeaning.holds(theirs, condition) else { continue }
            let thenGiven = known.conjunction.adding([theirs, other.schema("then")].compactMap(\.self))
            let otherwiseGiven = known.conjunction.adding([other.schema("else")].compactMap(\.self))
            if holds(thenGiven, in: thenWanted), holds(otherwiseGiven, in: otherwiseWanted) { return }
        }
        obstruct(
            .conditional, node.pointer(to: "if"),
            "whether what \(writer) allows fits the condition of \(reader) can't be told", .undecided)
    }
}
