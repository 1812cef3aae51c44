import Kernel

/// Whether no value can satisfy both of two conjunctions, as far as that is certain.
enum Disjointness {
    static func holds(_ one: Conjunction, _ other: Conjunction) -> Bool { holds(one, other, depth: 0) }

    private static func holds(_ one: Conjunction, _ other: Conjunction, depth: Int) -> Bool {
        guard depth < 8 else { return false }
        // Every property counts here: who passes over some of them would see less difference, not more.
        let one = Known(conjunction: one, policy: .strict)
        let other = Known(conjunction: other, policy: .strict)
        let types = one.types.intersection(other.types)
        if types.isEmpty { return true }
        if let values = one.values { return values.allSatisfy { Evaluator.isValid($0, other.conjunction) == false } }
        if let values = other.values { return values.allSatisfy { Evaluator.isValid($0, one.conjunction) == false } }
        return Types.each.filter { types.contains($0) }.allSatisfy { type in
            switch type {
            case .integer, .fraction: apart(one.lower, other.upper) || apart(other.lower, one.upper)
            case .string:
                apart(one.atLeast("minLength"), other.atMost("maxLength"))
                    || apart(other.atLeast("minLength"), one.atMost("maxLength"))
            case .array:
                apart(one.atLeast("minItems"), other.largestArray)
                    || apart(other.atLeast("minItems"), one.largestArray)
            case .object: objects(one, other, depth: depth)
            default: false
            }
        }
    }

    private static func objects(_ one: Known, _ other: Known, depth: Int) -> Bool {
        one.required.union(other.required).contains { name in
            guard let mine = one.property(name), let theirs = other.property(name) else { return true }
            return holds(mine.conjunction, theirs.conjunction, depth: depth + 1)
        }
    }

    private static func apart(_ lower: Known.Bound?, _ upper: Known.Bound?) -> Bool {
        guard let lower, let upper else { return false }
        return lower.value > upper.value || (lower.value == upper.value && (lower.isExclusive || upper.isExclusive))
    }

    private static func apart(_ least: Int, _ most: Int?) -> Bool { most.map { least > $0 } ?? false }
}
