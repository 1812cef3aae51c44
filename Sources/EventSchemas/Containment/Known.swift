import Foundation
import Kernel

/// What is certain about every value that a conjunction allows. Whatever it doesn't understand it leaves out, so that
/// it never claims too much.
struct Known {
    let conjunction: Conjunction
    let policy: CompatibilityPolicy

    var nodes: [Node] { conjunction.nodes }

    struct Bound {
        var value: Decimal
        var isExclusive: Bool
    }

    // MARK: Kinds and values

    var types: Types { types(depth: 0) }

    private func types(depth: Int) -> Types {
        if conjunction.isNever { return [] }
        var types = Types.all
        for node in nodes {
            if let keyword = node["type"], let named = Types(keyword: keyword) { types.formIntersection(named) }
            for values in Self.listedValues(of: node) {
                types.formIntersection(values.reduce(into: Types()) { $0.formUnion(Types(of: $1)) })
            }
            if let step = node["multipleOf"]?.decimal, step.isWhole, step > 0 { types.subtract(.fraction) }
            guard depth < 4 else { continue }
            for union in ["anyOf", "oneOf"] {
                guard let branches = node.schemas(union), !branches.isEmpty else { continue }
                types.formIntersection(
                    branches.reduce(into: Types()) { sum, branch in
                        sum.formUnion(Known(conjunction: Conjunction(branch), policy: policy).types(depth: depth + 1))
                    })
            }
        }
        return types
    }

    private static func listedValues(of node: Node) -> [[JSON]] {
        [node["enum"]?.elements, node["const"].map { [$0] }].compactMap(\.self)
    }

    /// All values there can be; nil where they are too many to list.
    var values: [JSON]? {
        var values: [JSON]?
        for listed in nodes.flatMap(Self.listedValues) {
            values =
                values.map { known in
                    known.filter { value in
                        !value.isComparable || listed.contains { $0.isSame(as: value) || !$0.isComparable }
                    }
                } ?? listed
        }
        let types = types
        if values == nil, types.isSubset(of: [.null, .boolean]) {
            values = (types.contains(.null) ? [.null] : []) + (types.contains(.boolean) ? [true, false] : [])
        }
        // A value that another keyword certainly refuses is not among them.
        return values?.filter { value in !nodes.contains { Evaluator.isValid(value, $0) == false } }
    }

    // MARK: Numbers and sizes

    var lower: Bound? {
        let whole = !types.contains(.fraction)
        return bounds("minimum", "exclusiveMinimum").map { bound in
            guard whole else { return bound }
            let up = bound.value.isWhole && bound.isExclusive ? bound.value + 1 : -(-bound.value).rounded(.down)
            return Bound(value: up, isExclusive: false)
        }.max { $0.value < $1.value || ($0.value == $1.value && !$0.isExclusive && $1.isExclusive) }
    }

    var upper: Bound? {
        let whole = !types.contains(.fraction)
        return bounds("maximum", "exclusiveMaximum").map { bound in
            guard whole else { return bound }
            let down = bound.value.isWhole && bound.isExclusive ? bound.value - 1 : bound.value.rounded(.down)
            return Bound(value: down, isExclusive: false)
        }.min { $0.value < $1.value || ($0.value == $1.value && $0.isExclusive && !$1.isExclusive) }
    }

    private func bounds(_ inclusive: String, _ exclusive: String) -> [Bound] {
        nodes.flatMap { node in
            [
                node[inclusive]?.decimal.map { Bound(value: $0, isExclusive: false) },
                node[exclusive]?.decimal.map { Bound(value: $0, isExclusive: true) },
            ].compactMap(\.self)
        }
    }

    var steps: [Decimal] {
        nodes.compactMap { $0["multipleOf"]?.decimal }.filter { $0 > 0 } + (types.contains(.fraction) ? [] : [1])
    }

    /// The largest of the lower limits of a count.
    func atLeast(_ keyword: String) -> Int { nodes.compactMap { $0[keyword]?.count }.max() ?? 0 }

    func atMost(_ keyword: String) -> Int? { nodes.compactMap { $0[keyword]?.count }.min() }

    var largestArray: Int? {
        // `items: false` ends an array where its prefix does.
        let ends = nodes.compactMap { node in
            node["items"] == .bool(false) ? node.schemas("prefixItems")?.count ?? 0 : nil
        }
        return ([atMost("maxItems")] + ends).compactMap(\.self).min()
    }

    func texts(_ keyword: String) -> Set<String> { Set(nodes.compactMap { $0[keyword]?.string }) }

    // MARK: Items

    /// What an array's element at that place has to be; nil where there can be none.
    func item(_ index: Int) -> Conjunction? {
        if let largest = largestArray, index >= largest { return nil }
        let parts = nodes.compactMap { node -> Node? in
            if let prefix = node.schemas("prefixItems"), prefix.indices.contains(index) { return prefix[index] }
            return node.schema("items")
        }
        let conjunction = Conjunction(parts)
        return conjunction.isNever ? nil : conjunction
    }

    var longestPrefix: Int { nodes.map { $0.schemas("prefixItems")?.count ?? 0 }.max() ?? 0 }
}
