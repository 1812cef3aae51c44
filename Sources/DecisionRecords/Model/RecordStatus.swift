import Foundation

/// Where a decision is in its life.
package enum RecordStatus: String, Sendable, Hashable, CaseIterable {
    case proposed
    case accepted
    case rejected
    case deprecated
    case superseded

    /// Case and Markdown's emphasis don't matter, and adr-tools' spelling `Superceded` is understood.
    package init?(word: String) {
        let word = word.trimmingCharacters(in: CharacterSet(charactersIn: " \t*_`\"'.,;:()")).lowercased()
        if word == "superceded" {
            self = .superseded
        } else {
            self.init(rawValue: word)
        }
    }

    /// Where it may go from here. What was superseded is history: a new record takes it up again.
    package var next: [RecordStatus] {
        switch self {
        case .proposed: [.accepted, .rejected, .superseded]
        case .accepted: [.deprecated, .superseded]
        case .rejected: [.proposed]
        case .deprecated: [.accepted, .superseded]
        case .superseded: []
        }
    }
}
