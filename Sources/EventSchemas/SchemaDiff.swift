import Kernel

/// Where two schemas differ by their words; what the differences do is the containment's business.
struct SchemaDiff {
    struct Change: Hashable {
        let rule: Rule
        let pointer: String
    }

    private(set) var changes: [Change] = []

    init(_ old: Node, _ new: Node) {
        walk(old, new)
    }

    private mutating func walk(_ old: Node, _ new: Node) {
        guard case .object = old.value, case .object = new.value else {
            if old.value != new.value { note(.boolean, new.pointer) }
            return
        }
        let names = old.keywords.map(\.name) + new.keywords.map(\.name).filter { old[$0] == nil }
        for name in names { compare(name, old, new) }
    }

    private mutating func compare(_ keyword: String, _ old: Node, _ new: Node) {
        let pointer = new.pointer(to: keyword)
        if keyword == "properties" || Keywords.schemaMap.contains(keyword) { return compareMap(keyword, old, new) }
        guard let before = old[keyword], let after = new[keyword] else {
            return note(Rule.judging(keyword: keyword), pointer)
        }
        if Keywords.schema.contains(keyword), let before = old.schema(keyword), let after = new.schema(keyword) {
            // One that only lets in or keeps out is judged as a whole.
            guard case .object = before.value, case .object = after.value else {
                return before.value == after.value ? () : note(Rule.judging(keyword: keyword), pointer)
            }
            return walk(before, after)
        }
        if Keywords.schemaList.contains(keyword), let before = old.schemas(keyword), let after = new.schemas(keyword) {
            for (before, after) in zip(before, after) { walk(before, after) }
            if before.count != after.count { note(Rule.judging(keyword: keyword), pointer) }
            return
        }
        let isSame = Keywords.sets.contains(keyword) ? before.isSameSet(as: after) : before.isSame(as: after)
        if !isSame { note(Rule.judging(keyword: keyword), pointer) }
    }

    private mutating func compareMap(_ keyword: String, _ old: Node, _ new: Node) {
        for (name, before) in old.named(keyword) {
            if let after = new.named(keyword, name) {
                walk(before, after)
            } else {
                note(keyword == "properties" ? .propertyRemoved : Rule.judging(keyword: keyword), before.pointer)
            }
        }
        for (name, after) in new.named(keyword) where old.named(keyword, name) == nil {
            note(keyword == "properties" ? .propertyAdded : Rule.judging(keyword: keyword), after.pointer)
        }
    }

    private mutating func note(_ rule: Rule, _ pointer: String) { changes.append(Change(rule: rule, pointer: pointer)) }
}
