import Kernel
import Yams

/// Reads the manifest strictly: a field that nobody knows is a mistake like one that is missing.
struct ManifestReader {
    private(set) var mistakes: [ManifestMistake] = []

    mutating func stores(_ text: String) -> [DataStore] {
        guard let root = compose(text),
            let fields = fields(of: root, "the manifest", required: ["version", "stores"])
        else { return [] }
        if let version = fields["version"], version.string != "1" {
            mistake(version, "version is not 1, the one that this program reads")
        }
        guard let list = fields["stores"] else { return [] }
        guard let entries = list.sequence, !entries.isEmpty else {
            mistake(list, "stores is not a list of stores")
            return []
        }
        let stores = entries.flatMap { self.stores(in: $0) }
        refuseDuplicates(stores)
        return stores
    }

    // MARK: One entry

    private static let required = [
        "name", "kind", "context", "isolation", "classification", "residency", "retention", "deletion", "owner",
        "runbook",
    ]

    /// One store for each context that the entry names.
    private mutating func stores(in node: Node) -> [DataStore] {
        guard let fields = fields(of: node, "a store", required: Self.required, optional: ["personal"]) else {
            return []
        }
        let before = mistakes.count
        let name = text(fields, "name")
        let kind: DataStore.Kind? = word(fields, "kind")
        let contexts = texts(fields, "context", mayBeOne: true)
        let isolation = kind.flatMap { self.isolation(fields, of: $0) }
        let classification: DataStore.Classification? = word(fields, "classification")
        let personal = fields["personal"] == nil ? [] : texts(fields, "personal", mayBeOne: false)
        let residency: DataStore.Residency? = word(fields, "residency")
        let retention = retention(fields)
        let deletion = deletion(fields)
        let owner = text(fields, "owner")
        let runbook = runbook(fields)
        for context in contexts where !isPlainIdentifier(context) {
            if let node = fields["context"] { mistake(node, "context is “\(context)”, which is no name of a schema") }
        }
        guard mistakes.count == before, Set(Self.required).isSubset(of: fields.keys), let name, let kind,
            let isolation, let classification, let residency, let retention, let deletion, let owner, let runbook
        else { return [] }
        agree(fields, kind, isolation, classification, personal, residency)
        return contexts.map { context in
            DataStore(
                name: name, kind: kind, context: context, isolation: isolation, classification: classification,
                personal: personal, residency: residency, retention: retention, deletion: deletion, owner: owner,
                runbook: runbook, line: Self.line(node))
        }
    }

    /// What each field says must be possible beside what the others say.
    private mutating func agree(
        _ fields: [String: Node], _ kind: DataStore.Kind, _ isolation: [Tier: DataStore.Isolation],
        _ classification: DataStore.Classification, _ personal: [String], _ residency: DataStore.Residency
    ) {
        if let node = fields["residency"], !kind.residencies.contains(residency) {
            let known = Self.list(kind.residencies.map(\.rawValue))
            mistake(node, "residency of a \(kind.rawValue) is \(known), not \(residency.rawValue)")
        }
        if let node = fields["isolation"] {
            let words = Set(isolation.values)
            if words.contains(.closed), words.count > 1 {
                mistake(node, "isolation is closed in every tier or in none")
            }
            if residency == .controlPlane, words.count > 1 {
                mistake(node, "isolation in the control plane's database is the same for tenants of every tier")
            }
        }
        guard let node = fields["personal"] ?? fields["classification"] else { return }
        switch (classification, personal.isEmpty) {
        case (.personal, true): mistake(node, "classification is personal, and personal names nothing")
        case (.confidential, false), (.internal, false):
            mistake(node, "personal names something, and classification is \(classification.rawValue)")
        case (.personal, false), (.secret, _), (.confidential, true), (.internal, true): break
        }
    }

    private mutating func isolation(
        _ fields: [String: Node], of kind: DataStore.Kind
    ) -> [Tier: DataStore.Isolation]? {
        guard let node = fields["isolation"],
            let tiers = self.fields(of: node, "isolation", required: Tier.allCases.map(\.rawValue))
        else { return nil }
        var isolation: [Tier: DataStore.Isolation] = [:]
        for tier in Tier.allCases {
            guard let word: DataStore.Isolation = word(tiers, tier.rawValue), let node = tiers[tier.rawValue] else {
                continue
            }
            let known = kind.isolations[tier] ?? []
            if known.contains(word) {
                isolation[tier] = word
            } else {
                let choice = Self.list(known.map(\.rawValue))
                mistake(
                    node, "isolation of a \(kind.rawValue) in tier \(tier.rawValue) is \(choice), not \(word.rawValue)")
            }
        }
        return isolation.count == Tier.allCases.count ? isolation : nil
    }

    private mutating func retention(_ fields: [String: Node]) -> DataStore.Retention? {
        guard let text = text(fields, "retention"), let node = fields["retention"] else { return nil }
        if let retention = DataStore.Retention(text) { return retention }
        mistake(node, "retention is “\(text)”; it takes tenant, process, broker, unlimited or a time such as 24h")
        return nil
    }

    private mutating func deletion(_ fields: [String: Node]) -> DataStore.Deletion? {
        guard let node = fields["deletion"],
            let parts = self.fields(of: node, "deletion", required: ["way", "how"]),
            let way: DataStore.Deletion.Way = word(parts, "way"), let how = text(parts, "how")
        else { return nil }
        return DataStore.Deletion(way: way, how: how)
    }

    private mutating func runbook(_ fields: [String: Node]) -> String? {
        guard let text = text(fields, "runbook"), let node = fields["runbook"] else { return nil }
        let parts = text.split(separator: "#", omittingEmptySubsequences: false)
        if parts.count == 2, parts[0].hasSuffix(".md"), !parts[0].hasPrefix("/"), !parts[1].isEmpty { return text }
        mistake(
            node, "runbook is “\(text)”; it takes a file and its section, such as docs/runbooks/tenant-data.md#topics")
        return nil
    }

    private mutating func refuseDuplicates(_ stores: [DataStore]) {
        var lines: [String: Int] = [:]
        for store in stores {
            if let first = lines["\(store.kind) \(store.fullName)"] {
                mistakes.append(
                    ManifestMistake(
                        line: store.line,
                        text: "\(store.kind.rawValue) \(store.fullName) stands in line \(first) already"))
            } else {
                lines["\(store.kind) \(store.fullName)"] = store.line
            }
        }
    }
}

// MARK: YAML

extension ManifestReader {
    fileprivate mutating func compose(_ text: String) -> Node? {
        do {
            if let root = try Yams.compose(yaml: text) { return root }
            mistakes.append(ManifestMistake(line: 1, text: "the manifest is empty"))
        } catch YamlError.duplicatedKeysInMapping(let duplicates, let context) {
            mistakes.append(
                ManifestMistake(
                    line: context.mark.line, text: "\(Self.list(duplicates)) is there twice; here is the first"))
        } catch YamlError.scanner(_, let problem, let mark, _), YamlError.parser(_, let problem, let mark, _),
            YamlError.composer(_, let problem, let mark, _)
        {
            mistakes.append(ManifestMistake(line: mark.line, text: "this is not YAML: \(problem)"))
        } catch {
            mistakes.append(ManifestMistake(line: 1, text: "this is not YAML: \(error)"))
        }
        return nil
    }

    /// The fields of a mapping; `nil` where it is none.
    fileprivate mutating func fields(
        of node: Node, _ what: String, required: [String], optional: [String] = []
    ) -> [String: Node]? {
        guard let mapping = node.mapping else {
            mistake(node, "\(what) is no mapping; it has \(Self.list(required, "and"))")
            return nil
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.string, required.contains(name) || optional.contains(name) else {
                mistake(
                    key, "\(what) has no field “\(key.string ?? "?")”; it has \(Self.list(required + optional, "and"))")
                continue
            }
            fields[name] = value
        }
        for name in required where fields[name] == nil { mistake(node, "\(what) lacks \(name)") }
        return fields
    }

    fileprivate mutating func text(_ fields: [String: Node], _ name: String) -> String? {
        guard let node = fields[name] else { return nil }
        if let text = node.scalar?.string, !text.isEmpty { return text }
        mistake(node, "\(name) is no text")
        return nil
    }

    fileprivate mutating func texts(_ fields: [String: Node], _ name: String, mayBeOne: Bool) -> [String] {
        guard let node = fields[name] else { return [] }
        if mayBeOne, node.scalar != nil { return text(fields, name).map { [$0] } ?? [] }
        let texts = node.sequence?.compactMap { $0.scalar?.string }.filter { !$0.isEmpty } ?? []
        if texts.isEmpty || texts.count != node.sequence?.count {
            mistake(node, "\(name) is no list of texts")
            return []
        }
        for (index, text) in texts.enumerated() where texts[..<index].contains(text) {
            mistake(node, "\(name) has “\(text)” twice")
        }
        return texts
    }

    fileprivate mutating func word<Word: RawRepresentable<String> & CaseIterable>(
        _ fields: [String: Node], _ name: String
    ) -> Word? {
        guard let text = text(fields, name), let node = fields[name] else { return nil }
        if let word = Word(rawValue: text) { return word }
        mistake(node, "\(name) is “\(text)”; it takes \(Self.list(Word.allCases.map(\.rawValue)))")
        return nil
    }

    fileprivate mutating func mistake(_ node: Node, _ text: String) {
        mistakes.append(ManifestMistake(line: Self.line(node), text: text))
    }

    fileprivate static func line(_ node: Node) -> Int { node.mark?.line ?? 1 }

    fileprivate static func list(_ words: [String], _ junction: String = "or") -> String {
        let words = words.sorted()
        return words.count < 2
            ? words.joined() : words.dropLast().joined(separator: ", ") + " \(junction) " + words[words.count - 1]
    }
}
