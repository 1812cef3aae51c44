package import Kernel

/// Holds the published language as it is now against what was published.
///
/// A file stays compatible with every state it ever had; what breaks is a new version, in a file of its own. A version
/// goes only once its deprecation has run out.
package struct LanguageCheck: Sendable {
    private let old: PublishedLanguage
    private let new: PublishedLanguage
    private let history: [String: [SchemaDocument]]
    private let settings: CompatibilitySettings
    private let override: (mode: CompatibilityMode?, policy: CompatibilityPolicy?)
    private let now: Timestamp

    /// - Parameter history: earlier states of files, oldest first, without the one in `old`.
    package init(
        old: PublishedLanguage, new: PublishedLanguage, history: [String: [SchemaDocument]] = [:],
        settings: CompatibilitySettings, mode: CompatibilityMode? = nil, policy: CompatibilityPolicy? = nil,
        now: Timestamp
    ) {
        self.old = old
        self.new = new
        self.history = history
        self.settings = settings
        override = (mode, policy)
        self.now = now
    }

    package func findings() -> [FileFinding] {
        let paths = Set(old.schemas.keys).union(new.schemas.keys).sorted()
        return paths.flatMap { path -> [FileFinding] in
            guard let fact = FactVersion(path: path) else {
                let reason = "the published language is <context>/<aggregate>.<fact>.v<N>.json and nothing else"
                return new.schemas[path] == nil ? [] : [found(path, standard, .placement, "", .breaking, reason)]
            }
            switch (old.schemas[path], new.schemas[path]) {
            case (let before?, let after?): return changed(fact, before, after)
            case (let before?, nil): return [deleted(fact, before)]
            case (nil, let after?): return added(fact, after)
            case (nil, nil): return []
            }
        }
    }

    /// The names that `old` lists as gone and `new` has again, for two schemas alone.
    package static func reservedNames(from old: SchemaDocument, to new: SchemaDocument) -> [Finding] {
        ReservedNames(earlier: [old], policy: .lenient).returning(in: new, after: old)
    }

    private var standard: CompatibilitySettings.Level { overridden(settings.standard) }

    private func level(of fact: FactVersion) -> CompatibilitySettings.Level { overridden(settings.level(of: fact)) }

    private func overridden(_ level: CompatibilitySettings.Level) -> CompatibilitySettings.Level {
        CompatibilitySettings.Level(mode: override.mode ?? level.mode, policy: override.policy ?? level.policy)
    }

    // MARK: One file

    private func changed(_ fact: FactVersion, _ before: SchemaDocument, _ after: SchemaDocument) -> [FileFinding] {
        let level = level(of: fact)
        var found = SchemaComparison(old: before, new: after, policy: level.policy).findings
            .map { FileFinding(path: fact.path, against: before.name, finding: $0, level: level) }
        let earlier = history[fact.path] ?? []
        if level.mode.isTransitive {
            for state in earlier {
                found += SchemaComparison(old: state, new: after, policy: level.policy).findings
                    .filter { $0.verdict(in: level.mode).breaks }
                    .map { FileFinding(path: fact.path, against: state.name, finding: $0, level: level) }
            }
        }
        let names =
            ReservedNames.unreserved(from: before, to: after)
            + ReservedNames(earlier: predecessors(of: fact) + earlier, policy: level.policy)
            .returning(in: after, after: before)
        found += names.map { FileFinding(path: fact.path, against: before.name, finding: $0, level: level) }
        return found + deprecation(fact, before, after)
    }

    private func added(_ fact: FactVersion, _ schema: SchemaDocument) -> [FileFinding] {
        let level = level(of: fact)
        var findings: [FileFinding] = []
        let others = old.versions(of: fact) + new.versions(of: fact)
        let newest = others.map(\.version.version).filter { $0 < fact.version }.max() ?? 0
        let isOlder = old.versions(of: fact).contains { $0.version.version > fact.version }
        if fact.version != newest + 1 || isOlder {
            let next = isOlder ? (old.versions(of: fact).last?.version.version ?? 0) + 1 : newest + 1
            findings.append(
                found(fact.path, level, .versionSkipped, "", .breaking, "the next version of \(fact.key) is v\(next)"))
        }
        let reserved = ReservedNames(earlier: predecessors(of: fact), policy: level.policy)
        findings += reserved.returning(in: schema, after: predecessors(of: fact).last)
            .map { FileFinding(path: fact.path, against: nil, finding: $0, level: level) }
        return findings + deprecation(fact, nil, schema)
    }

    /// The versions that came before it, whether they are still there or not, oldest first.
    private func predecessors(of fact: FactVersion) -> [SchemaDocument] {
        var versions: [Int: SchemaDocument] = [:]
        for (version, schema) in old.versions(of: fact) + new.versions(of: fact) where version.version < fact.version {
            versions[version.version] = schema
        }
        return versions.sorted { $0.key < $1.key }.map(\.value)
    }

    private func deleted(_ fact: FactVersion, _ schema: SchemaDocument) -> FileFinding {
        let level = level(of: fact)
        // One that can't be read was reported when it was published.
        guard let deprecation = (try? Deprecation(of: schema)) ?? nil else {
            return found(
                fact.path, level, .versionDeleted, "", .breaking,
                "a published version goes only after it was deprecated: x-deprecated with from, sunset and migration")
        }
        guard deprecation.sunset <= now else {
            return found(
                fact.path, level, .versionDeleted, "", .breaking,
                "it is deprecated, and published until \(deprecation.sunset)")
        }
        return found(
            fact.path, level, .versionDeleted, "", .compatible, "its sunset was \(deprecation.sunset)")
    }

    private func deprecation(
        _ fact: FactVersion, _ before: SchemaDocument?, _ after: SchemaDocument
    ) -> [FileFinding] {
        let level = level(of: fact)
        let pointer = "/x-deprecated"
        do {
            let planned = try Deprecation(of: after)
            guard let before, let promised = (try? Deprecation(of: before)) ?? nil, let planned,
                planned.sunset < promised.sunset
            else { return [] }
            return [
                found(
                    fact.path, level, .deprecation, pointer, .breaking,
                    "readers were promised it until \(promised.sunset)")
            ]
        } catch {
            return [found(fact.path, level, .deprecation, pointer, .breaking, error.reason)]
        }
    }

    private func found(
        _ path: String, _ level: CompatibilitySettings.Level, _ rule: Rule, _ pointer: String, _ verdict: Verdict,
        _ reason: String
    ) -> FileFinding {
        FileFinding(
            path: path, against: nil,
            finding: Finding(rule: rule, pointer: pointer, backward: verdict, forward: verdict, reason: reason),
            level: level)
    }
}
