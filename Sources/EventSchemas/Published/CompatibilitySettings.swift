package import Kernel

/// How strictly the published language is held, as `schemas/compatibility.json` says.
package struct CompatibilitySettings: Sendable, Hashable {
    package struct Level: Sendable, Hashable {
        package var mode: CompatibilityMode
        package var policy: CompatibilityPolicy

        package init(mode: CompatibilityMode, policy: CompatibilityPolicy) {
            self.mode = mode
            self.policy = policy
        }
    }

    package var standard = Level(mode: .fullTransitive, policy: .lenient)
    /// By fact, such as `orders/order.placed`.
    package var facts: [String: Level] = [:]

    package init() {}

    /// Reads `{"mode": …, "policy": …, "facts": {"<context>/<fact>": {"mode": …, "policy": …}}}`.
    package init(name: String, _ json: JSON) throws(SchemaUnreadable) {
        standard = try Self.level(json, over: standard, name, "")
        guard let facts = json["facts"] else { return }
        guard case .object(let object) = facts else {
            throw SchemaUnreadable(name: name, reason: "/facts is not an object")
        }
        for member in object.members {
            guard FactVersion(path: member.name + ".v1.json") != nil else {
                throw SchemaUnreadable(name: name, reason: "/facts names \(member.name), which is no <context>/<fact>")
            }
            self.facts[member.name] = try Self.level(member.value, over: standard, name, "/facts/\(member.name)")
        }
    }

    package func level(of fact: FactVersion) -> Level { facts[fact.key] ?? standard }

    private static func level(
        _ json: JSON, over standard: Level, _ name: String, _ place: String
    ) throws(SchemaUnreadable) -> Level {
        guard case .object(let object) = json else {
            throw SchemaUnreadable(name: name, reason: "\(place.isEmpty ? "it" : place) is not an object")
        }
        var level = standard
        for member in object.members {
            switch member.name {
            case "mode":
                guard let mode = member.value.string.flatMap(CompatibilityMode.init) else {
                    let known = CompatibilityMode.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SchemaUnreadable(name: name, reason: "\(place)/mode is none of \(known)")
                }
                level.mode = mode
            case "policy":
                guard let policy = member.value.string.flatMap(CompatibilityPolicy.init) else {
                    throw SchemaUnreadable(name: name, reason: "\(place)/policy is none of STRICT, LENIENT")
                }
                level.policy = policy
            case "facts" where place.isEmpty, "because": break
            default: throw SchemaUnreadable(name: name, reason: "\(place)/\(member.name) is not known")
            }
        }
        return level
    }
}
