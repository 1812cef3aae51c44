/// What the doctor looks at. A name is what is printed and ignored by, and never changes once it has been.
package enum Rule: String, Sendable, Hashable, CaseIterable, Codable {
    case duplicateNumber = "duplicate-number"
    case missingNumber = "missing-number"
    case titleNumber = "title-number"
    case titleSlug = "title-slug"
    case missingTitle = "missing-title"
    case frontMatter = "front-matter"
    case missingStatus = "missing-status"
    case unknownStatus = "unknown-status"
    case supersededAlone = "superseded-alone"
    case deadLink = "dead-link"
    case oneSidedLink = "one-sided-link"
    case emptySection = "empty-section"
    case deadMention = "dead-mention"

    package static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    package var level: Level {
        switch self {
        case .duplicateNumber, .titleNumber, .frontMatter, .unknownStatus, .supersededAlone, .deadLink, .deadMention:
            .error
        case .missingTitle, .missingStatus, .oneSidedLink, .emptySection, .missingNumber: .warning
        case .titleSlug: .note
        }
    }

    package var summary: String {
        switch self {
        case .duplicateNumber: "Two records of a folder have one number."
        case .missingNumber: "A number between two others has no record."
        case .titleNumber: "The title has another number than the file's name."
        case .titleSlug: "The file's name has other words than the title."
        case .missingTitle: "The record has no title."
        case .frontMatter: "The front matter is no YAML."
        case .missingStatus: "The record tells no status."
        case .unknownStatus: "The status is none that is known."
        case .supersededAlone: "The record is superseded, and by what isn't said."
        case .deadLink: "A link leads to no file."
        case .oneSidedLink: "A record tells of another that doesn't tell of it."
        case .emptySection: "A section has nothing in it."
        case .deadMention: "A record is named by a number that none has."
        }
    }
}

/// How bad a finding is. The words are SARIF's.
package enum Level: String, Sendable, Hashable, Codable {
    case error
    case warning
    case note
}
