package import Kernel

/// The schemas of all events at one moment, by their path below the folder of the published language.
package struct PublishedLanguage: Sendable {
    package var schemas: [String: SchemaDocument]

    package init(_ schemas: [String: SchemaDocument] = [:]) {
        self.schemas = schemas
    }

    /// Every version of a fact, oldest first.
    func versions(of fact: FactVersion) -> [(version: FactVersion, schema: SchemaDocument)] {
        schemas.compactMap { path, schema in FactVersion(path: path).map { ($0, schema) } }
            .filter { $0.0.key == fact.key }.sorted { $0.0.version < $1.0.version }
    }
}

extension PublishedLanguage {
    /// Which of the types should be published no more, the one whose sunset was first before the others.
    package func overdue(of types: Set<String>, on day: Timestamp) -> [(path: String, deprecation: Deprecation)] {
        schemas.compactMap { path, schema in
            // A deprecation that can't be read is found where the schema is compared.
            guard let version = FactVersion(path: path), types.contains(version.description),
                let deprecation = (try? Deprecation(of: schema)) ?? nil, deprecation.sunset <= day
            else { return nil }
            return (path, deprecation)
        }.sorted { ($0.deprecation.sunset, $0.path) < ($1.deprecation.sunset, $1.path) }
    }
}

/// A finding, and where.
package struct FileFinding: Sendable, Hashable {
    package let path: String
    /// What the file was compared with: a state of the same file, or nothing.
    package let against: String?
    package let finding: Finding
    package let level: CompatibilitySettings.Level

    package init(path: String, against: String?, finding: Finding, level: CompatibilitySettings.Level) {
        self.path = path
        self.against = against
        self.finding = finding
        self.level = level
    }

    package var verdict: Verdict { finding.verdict(in: level.mode) }
}
