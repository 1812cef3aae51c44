package import Kernel

/// Something that is not as the manifest says.
package struct ManifestFinding: Hashable, Sendable {
    /// The database as server/name, the broker, or the manifest and its line.
    package let place: String
    /// The table, topic or whatever it is about.
    package let store: String
    package let problem: String
    package let remedy: String
}

extension ManifestFinding: CustomStringConvertible {
    package var description: String { "\(place): \(store) \(problem); \(remedy)" }
}

/// What `ManifestCheck` looked at, and what it found.
package struct ManifestReport: Hashable, Sendable {
    package var findings: [ManifestFinding] = []
    package var databases = 0
    package var tables = 0
    /// How many topics are on the broker; `nil` where it was not asked.
    package var topics: Int?

    package var json: JSON {
        [
            "findings": .array(
                findings.map {
                    [
                        "place": .string($0.place), "store": .string($0.store), "problem": .string($0.problem),
                        "remedy": .string($0.remedy),
                    ]
                }),
            "databases": .integer(databases), "tables": .integer(tables),
            "topics": topics.map { .integer($0) } ?? .null,
            "skipped": .array(topics == nil ? ["topics"] : []),
        ]
    }
}
