/// What a new record looks like.
///
/// The text of `nygard` and of the first record is what adr-tools by Nat Pryce writes, CC BY 4.0, after Michael
/// Nygard. The others are those of MADR 4.0, which is MIT or CC0.
package enum Template: String, Sendable, Hashable, CaseIterable {
    case nygard
    case madr
    case madrMinimal = "madr-minimal"
    case madrBare = "madr-bare"
    case madrBareMinimal = "madr-bare-minimal"

    package static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    var text: String {
        switch self {
        case .nygard: Self.nygardText
        case .madr: Self.madrText
        case .madrMinimal: Self.madrMinimalText
        case .madrBare: Self.madrBareText
        case .madrBareMinimal: Self.madrBareMinimalText
        }
    }

    /// Fills in NUMBER, TITLE, DATE and STATUS: each once a line, and never in what another was filled with.
    static func fill(_ text: String, number: Int, title: String, date: String, status: String) -> String {
        let values = ["NUMBER": String(number), "TITLE": title, "DATE": date, "STATUS": status]
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let places = values.compactMap { word, value in line.firstRange(of: word).map { ($0, value) } }
                .sorted { $0.0.lowerBound < $1.0.lowerBound }
            var filled = ""
            var start = line.startIndex
            for (range, value) in places {
                filled += "\(line[start..<range.lowerBound])\(value)"
                start = range.upperBound
            }
            return "\(filled)\(line[start...])"
        }.joined(separator: "\n")
    }

    static let nygardText = """
        # NUMBER. TITLE

        Date: DATE

        ## Status

        STATUS

        ## Context

        The issue motivating this decision, and any context that influences or constrains the decision.

        ## Decision

        The change that we're proposing or have agreed to implement.

        ## Consequences

        What becomes easier or more difficult to do and any risks introduced by the change that will need to be \
        mitigated.

        """

    /// The record that `init` begins with.
    static let firstText = """
        # NUMBER. Record architecture decisions

        Date: DATE

        ## Status

        STATUS

        ## Context

        We need to record the architectural decisions made on this project.

        ## Decision

        We will use Architecture Decision Records, as [described by Michael \
        Nygard](http://thinkrelevance.com/blog/2011/11/15/documenting-architecture-decisions).

        ## Consequences

        See Michael Nygard's article, linked above. For a lightweight ADR toolset, see Nat Pryce's \
        [adr-tools](https://github.com/npryce/adr-tools).

        """
}
