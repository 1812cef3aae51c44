import Yams

/// The YAML above a document, as lists of words by key.
struct FrontMatter {
    struct Mistake: Error {
        /// From 1, in the front matter.
        let line: Int?
        let text: String
    }

    private let values: [String: [String]]

    init(_ text: String) throws(Mistake) {
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw Mistake(line: Self.line(of: error), text: Self.problem(of: error))
        } catch {
            throw Mistake(line: nil, text: "\(error)")
        }
        guard let node else {
            values = [:]
            return
        }
        guard let mapping = node.mapping else {
            // Nothing but comments and blank lines.
            if node.scalar?.string.isEmpty == true {
                values = [:]
                return
            }
            throw Mistake(line: 1, text: "is no mapping of keys to values")
        }
        var values: [String: [String]] = [:]
        for (key, value) in mapping {
            guard let key = key.string else { continue }
            let words = value.sequence.map { $0.compactMap(\.string) } ?? value.string.map { [$0] } ?? []
            values[key] = words.filter { !$0.isEmpty && $0 != "null" }
        }
        self.values = values
    }

    subscript(key: String) -> [String]? { values[key] }

    private static func line(of error: YamlError) -> Int? {
        switch error {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): mark.line
        default: nil
        }
    }

    private static func problem(of error: YamlError) -> String {
        switch error {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _): problem
        default: "can't be read"
        }
    }
}
