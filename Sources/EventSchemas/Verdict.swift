/// What a change does to one direction.
package enum Verdict: String, Sendable, Hashable {
    case compatible
    /// The rules can't tell, which counts as breaking.
    case undecided
    case breaking

    package var breaks: Bool { self != .compatible }

    package static func worst(_ one: Verdict, _ other: Verdict) -> Verdict {
        if one == .breaking || other == .breaking { return .breaking }
        return one == .undecided || other == .undecided ? .undecided : .compatible
    }
}

/// Who reads whose documents.
package enum Direction: Sendable, Hashable, CaseIterable {
    /// The new schema's readers, the old schema's documents.
    case backward
    /// The old schema's readers, the new schema's documents.
    case forward
}

/// Which directions have to hold, and towards how many earlier states of a schema.
package enum CompatibilityMode: String, Sendable, Hashable, CaseIterable {
    case backward = "BACKWARD"
    case backwardTransitive = "BACKWARD_TRANSITIVE"
    case forward = "FORWARD"
    case forwardTransitive = "FORWARD_TRANSITIVE"
    case full = "FULL"
    case fullTransitive = "FULL_TRANSITIVE"

    package var directions: [Direction] {
        switch self {
        case .backward, .backwardTransitive: [.backward]
        case .forward, .forwardTransitive: [.forward]
        case .full, .fullTransitive: [.backward, .forward]
        }
    }

    package var isTransitive: Bool {
        switch self {
        case .backward, .forward, .full: false
        case .backwardTransitive, .forwardTransitive, .fullTransitive: true
        }
    }
}

/// What is taken for granted about those who write and read.
package enum CompatibilityPolicy: String, Sendable, Hashable, CaseIterable {
    /// Nothing: a document may hold whatever its schema allows, and a reader refuses whatever its schema does.
    case strict = "STRICT"
    /// Writers write no property that their schema doesn't describe; readers pass over properties they don't know, also
    /// where their schema closes an object with `false`.
    case lenient = "LENIENT"
}
