import Foundation
import Kernel

/// Says of one value whether a schema takes it, where that is certain.
enum Evaluator {
    /// Nil where it can't be told.
    static func isValid(_ value: JSON, _ node: Node) -> Bool? { isValid(value, node, depth: 0) }

    static func isValid(_ value: JSON, _ conjunction: Conjunction) -> Bool? {
        if conjunction.isNever { return false }
        return all(
            conjunction.nodes.map { own(value, $0, depth: 0) } + (conjunction.unresolved.isEmpty ? [] : [nil]))
    }

    private static func isValid(_ value: JSON, _ node: Node, depth: Int) -> Bool? {
        guard depth < 32 else { return nil }
        let conjunction = Conjunction(node)
        if conjunction.isNever { return false }
        return all(
            conjunction.nodes.map { own(value, $0, depth: depth) } + (conjunction.unresolved.isEmpty ? [] : [nil]))
    }

    private static func all(_ results: [Bool?]) -> Bool? {
        if results.contains(false) { return false }
        return results.contains(nil) ? nil : true
    }

    private static func own(_ value: JSON, _ node: Node, depth: Int) -> Bool? {
        all(node.keywords.map { keyword(value, $0.name, $0.value, of: node, depth: depth + 1) })
    }

    private static func keyword(_ value: JSON, _ name: String, _ limit: JSON, of node: Node, depth: Int) -> Bool? {
        switch name {
        // Conjunction has seen to these.
        case "$ref", "allOf": return true
        case "type":
            guard let types = Types(keyword: limit) else { return nil }
            let own = Types(of: value)
            return own.isSubset(of: types) ? true : own.isDisjoint(with: types) ? false : nil
        case "const": return limit.isSame(as: value) ? true : known(false, of: value, limit)
        case "enum":
            guard let listed = limit.elements else { return nil }
            return listed.contains { $0.isSame(as: value) } ? true : known(false, of: value, limit)
        case "anyOf":
            let results = node.schemas("anyOf")?.map { isValid(value, $0, depth: depth) }
            guard let results else { return nil }
            return results.contains(true) ? true : results.contains(nil) ? nil : false
        case "oneOf":
            guard let results = node.schemas("oneOf")?.map({ isValid(value, $0, depth: depth) }) else { return nil }
            let certain = results.count { $0 == true }
            if certain > 1 { return false }
            return results.contains(nil) ? nil : certain == 1
        case "not": return node.schema("not").flatMap { isValid(value, $0, depth: depth) }.map { !$0 }
        default:
            if Keywords.isAnnotation(name) || name == "$schema" { return true }
            switch value {
            case .number: return number(value, name, limit)
            case .string(let text): return string(text, name, limit)
            case .array(let elements): return array(elements, name, limit, of: node, depth: depth)
            case .object(let object): return self.object(object, name, limit, of: node, depth: depth)
            case .null, .bool: return speaksOfNothingElse(name)
            }
        }
    }

    /// Numbers that can't be compared may be the same after all.
    private static func known(_ result: Bool, of value: JSON, _ other: JSON) -> Bool? {
        value.isComparable && other.isComparable ? result : nil
    }

    /// True for keywords that say nothing about a value of another kind than theirs.
    private static func speaksOfNothingElse(_ name: String) -> Bool? {
        Keywords.isKnown(name) && !["if", "then", "else", "$dynamicRef", "$recursiveRef"].contains(name) ? true : nil
    }

    private static func number(_ value: JSON, _ name: String, _ limit: JSON) -> Bool? {
        guard ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"].contains(name) else {
            return speaksOfNothingElse(name)
        }
        guard let value = value.decimal, let limit = limit.decimal else { return nil }
        return switch name {
        case "minimum": value >= limit
        case "maximum": value <= limit
        case "exclusiveMinimum": value > limit
        case "exclusiveMaximum": value < limit
        default: limit > 0 ? value.isMultiple(of: limit) : nil
        }
    }

    private static func string(_ text: String, _ name: String, _ limit: JSON) -> Bool? {
        switch name {
        case "minLength": return limit.count.map { text.unicodeScalars.count >= $0 }
        case "maxLength": return limit.count.map { text.unicodeScalars.count <= $0 }
        case "pattern": return limit.string.flatMap { Pattern.matches($0, text) }
        case "format", "contentEncoding", "contentMediaType", "contentSchema": return nil
        default: return speaksOfNothingElse(name)
        }
    }

    private static func array(
        _ elements: [JSON], _ name: String, _ limit: JSON, of node: Node, depth: Int
    ) -> Bool? {
        switch name {
        case "minItems": return limit.count.map { elements.count >= $0 }
        case "maxItems": return limit.count.map { elements.count <= $0 }
        case "prefixItems":
            return node.schemas(name).flatMap { prefix in
                all(zip(elements, prefix).map { isValid($0, $1, depth: depth) })
            }
        case "items":
            let prefix = node.schemas("prefixItems")?.count ?? 0
            return node.schema(name).flatMap { schema in
                all(elements.dropFirst(prefix).map { isValid($0, schema, depth: depth) })
            }
        case "uniqueItems":
            guard limit == true else { return limit == false ? true : nil }
            let repeats = elements.indices.contains { index in
                elements[..<index].contains { $0.isSame(as: elements[index]) }
            }
            return repeats ? false : known(true, of: .array(elements), true)
        case "contains", "minContains", "maxContains", "unevaluatedItems": return nil
        default: return speaksOfNothingElse(name)
        }
    }

    private static func object(
        _ object: JSONObject, _ name: String, _ limit: JSON, of node: Node, depth: Int
    ) -> Bool? {
        switch name {
        case "required": return limit.elements.map { $0.allSatisfy { object[$0.string ?? ""] != nil } }
        case "minProperties": return limit.count.map { object.members.count >= $0 }
        case "maxProperties": return limit.count.map { object.members.count <= $0 }
        case "properties":
            return all(
                object.members.map { member in
                    node.named(name, member.name).map { isValid(member.value, $0, depth: depth) } ?? true
                })
        case "additionalProperties" where node["patternProperties"] == nil:
            return node.schema(name).flatMap { schema in
                all(
                    object.members.filter { node.named("properties", $0.name) == nil }
                        .map { isValid($0.value, schema, depth: depth) })
            }
        case "propertyNames":
            return node.schema(name).flatMap { schema in
                all(object.members.map { isValid(.string($0.name), schema, depth: depth) })
            }
        case "additionalProperties", "patternProperties", "dependentRequired", "dependentSchemas",
            "unevaluatedProperties":
            return nil
        default: return speaksOfNothingElse(name)
        }
    }
}
