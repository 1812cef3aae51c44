/// Options of one letter that take a value, up to the first word that is none or to `--`.
struct ShortOptions {
    private(set) var rest: [String]
    private let letters: String

    init(_ arguments: [String], taking letters: String) {
        rest = arguments
        self.letters = letters
    }

    mutating func next() throws -> (option: Character, value: String)? {
        guard let word = rest.first, word.hasPrefix("-"), word.count > 1 else { return nil }
        rest.removeFirst()
        if word == "--" { return nil }
        let letter = word[word.index(after: word.startIndex)]
        guard letters.contains(letter) else { throw AdrTools.Refusal(text: "Not implemented: -\(letter)") }
        let glued = String(word.dropFirst(2))
        if !glued.isEmpty { return (letter, glued) }
        guard !rest.isEmpty else { throw RecordError("-\(letter) needs a value") }
        return (letter, rest.removeFirst())
    }
}
