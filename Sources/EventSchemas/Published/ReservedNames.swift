import Kernel

/// Keeps a property's name from coming back with another meaning.
///
/// `x-removed` beside a schema's `properties` lists the names that were taken away; those of earlier versions and
/// states count without being listed.
struct ReservedNames {
    /// Schemas that have been, oldest first.
    let earlier: [SchemaDocument]
    let policy: CompatibilityPolicy

    /// The names that return in `new`; `before` is what it directly follows.
    func returning(in new: SchemaDocument, after before: SchemaDocument?) -> [Finding] {
        Self.objects(new.node).flatMap { object in
            object.named("properties").compactMap { name, schema in
                returning(name, schema, of: object, after: before).map { reason in
                    Finding(
                        rule: .nameReserved, pointer: schema.pointer, backward: .breaking, forward: .breaking,
                        reason: reason)
                }
            }
        }
    }

    private func returning(_ name: String, _ schema: Node, of object: Node, after before: SchemaDocument?) -> String? {
        if Self.removed(object).contains(name) { return "x-removed of the same object says that \(name) is gone" }
        let path = object.pointer
        if let before, before.node.at(pointer: path)?.named("properties", name) != nil { return nil }
        // What it meant last is what it may mean again.
        for document in earlier.reversed() {
            guard let past = document.node.at(pointer: path)?.named("properties", name) else { continue }
            if means(schema, past) { return nil }
            return "\(name) is not what it was in \(document.name), after which it was removed"
        }
        let listed = (earlier + [before].compactMap(\.self)).last { document in
            document.node.at(pointer: path).map { Self.removed($0).contains(name) } ?? false
        }
        return listed.map { "x-removed of \($0.name) says that \(name) is gone" }
    }

    private func means(_ one: Node, _ other: Node) -> Bool {
        Direction.allCases.allSatisfy { direction in
            var question = Containment(direction, policy)
            return direction == .backward
                ? question.holds(Conjunction(other), in: Conjunction(one))
                : question.holds(Conjunction(one), in: Conjunction(other))
        }
    }

    /// Names that `new` takes away without listing them, or that it strikes off the list.
    static func unreserved(from old: SchemaDocument, to new: SchemaDocument) -> [Finding] {
        objects(old.node).flatMap { object -> [Finding] in
            guard let after = new.node.at(pointer: object.pointer), case .object = after.value else { return [] }
            let names = Set(after.named("properties").map(\.name)).union(removed(after))
            let gone =
                object.named("properties").map { ($0.name, $0.schema.pointer, "was removed") }
                + removed(object).map { ($0, object.pointer(to: "x-removed"), "was listed") }
            return gone.filter { !names.contains($0.0) }.map { name, pointer, what in
                Finding(
                    rule: .nameUnreserved, pointer: pointer, backward: .breaking, forward: .breaking,
                    reason:
                        "\(name) \(what); list it in x-removed of \(shown(after.pointer)) so that it can't come back "
                        + "with another meaning")
            }
        }
    }

    private static func shown(_ pointer: String) -> String { pointer.isEmpty ? "the schema" : pointer }

    static func removed(_ object: Node) -> [String] { object["x-removed"]?.elements?.compactMap(\.string) ?? [] }

    /// Every subschema with properties or a list of removed ones.
    private static func objects(_ node: Node) -> [Node] {
        let own = node["properties"] != nil || node["x-removed"] != nil ? [node] : []
        return own + node.children.flatMap { objects($0) }
    }
}
