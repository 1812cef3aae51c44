/// A file that is no backfill; says where and what mends it.
package struct BackfillFileError: Error, Hashable, CustomStringConvertible {
    package let file: String
    /// Counted from 1; `nil` where it is about the file as a whole.
    package let line: Int?
    package let problem: String
    package let remedy: String

    package var description: String {
        "\(file)\(line.map { ":\($0)" } ?? ""): \(problem); \(remedy)"
    }
}

/// There is no backfill of that name.
package struct UnknownBackfill: Error, Hashable, CustomStringConvertible {
    package let name: String

    package init(name: String) {
        self.name = name
    }

    package var description: String {
        "there is no backfill \(name); `atrium backfill list` shows those that there are"
    }
}
