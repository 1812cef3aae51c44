import Foundation
import Kernel

extension Containment {
    mutating func checkNumber(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        guard let limit = value.decimal else { return malformed(name, of: node) }
        let holds: Bool
        switch name {
        case "minimum": holds = known.lower.map { $0.value >= limit } ?? false
        case "exclusiveMinimum":
            holds = known.lower.map { $0.value > limit || ($0.value == limit && $0.isExclusive) } ?? false
        case "maximum": holds = known.upper.map { $0.value <= limit } ?? false
        case "exclusiveMaximum":
            holds = known.upper.map { $0.value < limit || ($0.value == limit && $0.isExclusive) } ?? false
        default:
            guard limit > 0 else { return malformed(name, of: node) }
            holds = known.steps.contains { $0.isMultiple(of: limit) }
        }
        if holds { return }
        obstruct(
            Rule.judging(keyword: name), node.pointer(to: name),
            "\(reader) asks for \(name) \(value), and \(writer) allows other numbers")
    }

    mutating func checkString(_ name: String, _ value: JSON, of node: Node, _ known: Known) {
        let pointer = node.pointer(to: name)
        switch name {
        case "minLength", "maxLength":
            guard let limit = value.count else { return malformed(name, of: node) }
            let holds =
                name == "minLength"
                ? known.atLeast(name) >= limit : known.atMost(name).map { $0 <= limit } ?? false
            if holds { return }
            let which = name == "minLength" ? "shorter" : "longer"
            obstruct(Rule.judging(keyword: name), pointer, "\(writer) allows \(which) strings than \(name) \(limit)")
        case "pattern":
            guard let pattern = value.string else { return malformed(name, of: node) }
            if known.texts(name).contains(pattern) { return }
            // Two expressions can't be compared in general; without any, all strings are allowed.
            let others = known.texts(name)
            let undecided = !others.isEmpty || !known.texts("format").isEmpty
            obstruct(
                .pattern, pointer,
                undecided
                    ? "whether what \(writer) allows matches this pattern of \(reader) can't be told"
                    : "\(writer) allows strings that don't match this pattern of \(reader)",
                undecided ? .undecided : .breaking)
        default:
            if known.nodes.contains(where: { $0[name]?.isSame(as: value) == true }) { return }
            obstruct(.content, pointer, "\(writer) doesn't say the same as \(reader) about what the string holds")
        }
    }

    /// Formats are taken for assertions, as the validators of this project do.
    mutating func checkFormat(_ value: JSON, of node: Node, _ known: Known) {
        guard let format = value.string else { return malformed("format", of: node) }
        // A format that the specification doesn't have may be about any kind of value.
        if Self.stringFormats.contains(format), !known.types.contains(.string) { return }
        let given = known.texts("format")
        if given.contains(where: { $0 == format || Self.wider[$0]?.contains(format) == true }) { return }
        obstruct(.format, node.pointer(to: "format"), "\(writer) allows values that are not of the format \(format)")
    }

    private static let stringFormats: Set<String> = [
        "date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname", "ipv4", "ipv6",
        "uri",
        "uri-reference", "iri", "iri-reference", "uuid", "uri-template", "json-pointer", "relative-json-pointer",
        "regex",
    ]

    private static let wider: [String: Set<String>] = [
        "uri": ["uri-reference", "iri", "iri-reference"], "uri-reference": ["iri-reference"],
        "iri": ["iri-reference"], "email": ["idn-email"], "hostname": ["idn-hostname"],
    ]
}
