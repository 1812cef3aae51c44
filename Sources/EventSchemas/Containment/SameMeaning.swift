import Kernel

/// Whether two schemas say the same, word for word but for annotations, order and where their definitions stand.
struct SameMeaning {
    /// Pairs under comparison: a recursive schema comes back to them.
    private var open: Set<String> = []

    static func holds(_ one: Node, _ other: Node) -> Bool {
        var comparison = SameMeaning()
        return comparison.compare(one, other)
    }

    private mutating func compare(_ one: Node, _ other: Node) -> Bool {
        if one.id == other.id, one.value == other.value { return true }
        let pair = "\(one.id) \(other.id)"
        guard open.insert(pair).inserted else { return true }
        defer { open.remove(pair) }
        guard case .object = one.value, case .object = other.value else { return one.value == other.value }
        let mine = one.keywords.filter { !Keywords.isAnnotation($0.name) }
        let theirs = other.keywords.filter { !Keywords.isAnnotation($0.name) }
        guard Set(mine.map(\.name)) == Set(theirs.map(\.name)) else { return false }
        return mine.allSatisfy { keyword in same(keyword.name, one, other) }
    }

    private mutating func same(_ keyword: String, _ one: Node, _ other: Node) -> Bool {
        guard let mine = one[keyword], let theirs = other[keyword] else { return false }
        switch keyword {
        case "$ref":
            guard let target = mine.string.flatMap({ one.document.resolve($0) }),
                let otherTarget = theirs.string.flatMap({ other.document.resolve($0) })
                // The same absolute address is the same schema, wherever it is.
            else { return mine == theirs && mine.string?.contains("://") == true }
            return compare(target, otherTarget)
        // What these lead to depends on the way by which one came.
        case "$dynamicRef", "$recursiveRef": return false
        default: break
        }
        if Keywords.schema.contains(keyword), let mine = one.schema(keyword), let theirs = other.schema(keyword) {
            return compare(mine, theirs)
        }
        if Keywords.schemaList.contains(keyword) {
            guard let mine = one.schemas(keyword), let theirs = other.schemas(keyword) else { return mine == theirs }
            guard mine.count == theirs.count else { return false }
            for (mine, theirs) in zip(mine, theirs) where !compare(mine, theirs) { return false }
            return true
        }
        if Keywords.schemaMap.contains(keyword) {
            let mine = one.named(keyword)
            guard mine.count == other.named(keyword).count else { return false }
            for (name, schema) in mine {
                guard let theirs = other.named(keyword, name), compare(schema, theirs) else { return false }
            }
            return true
        }
        return Keywords.sets.contains(keyword) ? mine.isSameSet(as: theirs) : mine.isSame(as: theirs)
    }
}
