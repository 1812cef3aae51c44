import Yams

/// What `.adr.yaml` in the folder of the records says.
package struct Settings: Sendable, Hashable {
    package struct Ignored: Sendable, Hashable {
        package let rule: Rule
        /// A record's number or a path; nil for everywhere.
        package let at: String?
        package let reason: String
    }

    package static let file = ".adr.yaml"

    package var speaksAdrTools = false
    package var template = Template.nygard
    package var status = RecordStatus.proposed
    package var ignored: [Ignored] = []
    /// Paths from the root of the project in which nobody looks for mentions.
    package var unread: [String] = []

    package init() {}

    init(yaml: String, path: String) throws {
        func wrong(_ node: Node?, _ what: String) -> RecordError {
            RecordError("\(path)\(node?.mark.map { ":\($0.line)" } ?? ""): \(what)")
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch {
            throw RecordError("\(path) is no YAML: \(error)")
        }
        guard let root, root.scalar?.string.isEmpty != true else { return }
        guard let fields = root.mapping else { throw wrong(root, "is no mapping of settings") }
        for (key, value) in fields {
            switch key.string {
            case "compatibility":
                guard let word = value.string, ["adr-tools", "native"].contains(word) else {
                    throw wrong(value, "compatibility is adr-tools or native")
                }
                speaksAdrTools = word == "adr-tools"
            case "template":
                guard let template = value.string.flatMap(Template.init(rawValue:)) else {
                    throw wrong(value, "template is one of \(Template.names)")
                }
                self.template = template
            case "status":
                guard let status = value.string.flatMap(RecordStatus.init(rawValue:)), status != .superseded else {
                    throw wrong(value, "status is proposed, accepted, rejected or deprecated")
                }
                self.status = status
            case "unread":
                guard let paths = value.sequence else { throw wrong(value, "unread is a list of paths") }
                unread = try paths.map { node in
                    guard let path = node.string, !path.isEmpty else { throw wrong(node, "a path is text") }
                    return path
                }
            case "ignore":
                guard let list = value.sequence else { throw wrong(value, "ignore is a list") }
                ignored = try list.map { try Self.ignored($0, wrong) }
            default:
                throw wrong(key, "nobody knows the setting \(key.string ?? "?")")
            }
        }
    }

    private static func ignored(_ node: Node, _ wrong: (Node?, String) -> RecordError) throws -> Ignored {
        guard let fields = node.mapping else { throw wrong(node, "what is ignored has rule and reason") }
        for (key, _) in fields where !["rule", "at", "reason"].contains(key.string ?? "") {
            throw wrong(key, "what is ignored has rule, at and reason, and nothing else")
        }
        guard let rule = fields["rule"]?.string.flatMap(Rule.init(rawValue:)) else {
            throw wrong(fields["rule"] ?? node, "rule is one of \(Rule.names)")
        }
        guard let reason = fields["reason"]?.string, !reason.allSatisfy(\.isWhitespace) else {
            throw wrong(node, "a rule is ignored for a reason: say which in `reason`")
        }
        return Ignored(rule: rule, at: fields["at"]?.string, reason: reason)
    }
}
