/// Names what one schema has, lacks, or has otherwise than another one that should be the same.
struct SchemaComparison {
    typealias Facts = [CatalogueFacts.Key: String]

    let schema: String
    let model: String
    /// Where the model is, when it is in another database.
    var place = ""

    func differences(_ facts: Facts, from wanted: Facts) -> [String] {
        // What a table that is missing or too much consists of goes without saying.
        let missing = Self.wholes(wanted).subtracting(Self.wholes(facts))
        let extra = Self.wholes(facts).subtracting(Self.wholes(wanted))
        var differences = missing.sorted().map { "\(named(schema, $0)): missing; it is in \(named(model, ""))\(place)" }
        differences += extra.sorted().map { "\(named(schema, $0)): not in \(named(model, ""))\(place)" }
        for key in Set(facts.keys).union(wanted.keys).sorted()
        where !missing.contains(key.object) && !extra.contains(key.object) {
            let (found, expected) = (facts[key], wanted[key])
            if found == expected { continue }
            let other = named(model, key.object) + place
            switch (found, expected) {
            case (let found?, let expected?):
                differences.append(
                    "\(named(schema, key.object)): \(key.aspect) is \(Self.short(found)), and \(Self.short(expected)) "
                        + "in \(other)")
            case (_?, nil): differences.append("\(named(schema, key.object)): \(key.aspect) is not in \(other)")
            case (nil, _):
                differences.append("\(named(schema, key.object)): \(key.aspect) is missing; it is in \(other)")
            }
        }
        return differences
    }

    /// The objects themselves, by a fact that each of them has.
    private static func wholes(_ facts: Facts) -> Set<String> {
        let kinds: Set = ["table", "view", "materialized view", "sequence", "type", "function", "schema"]
        return Set(facts.keys.filter { kinds.contains($0.aspect) }.map(\.object))
    }

    private func named(_ schema: String, _ object: String) -> String {
        object.isEmpty ? schema : "\(schema).\(object)"
    }

    private static func short(_ value: String) -> String {
        let line = value.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count > 300 ? "\(line.prefix(300))…" : line.isEmpty ? "plain" : line
    }
}
