/// Which version of which fact a file of the published language holds, by its path.
package struct FactVersion: Sendable, Hashable, CustomStringConvertible {
    package let context: String
    /// Aggregate and fact, such as `order.placed`.
    package let fact: String
    package let version: Int

    /// Takes `<context>/<aggregate>.<fact>.v<N>.json`, below the folder of the published language.
    package init?(path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].hasSuffix(".json"), Self.isName(parts[0]) else { return nil }
        let words = parts[1].dropLast(5).split(separator: ".", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].first == "v", words[2].dropFirst().first != "0", Self.isName(words[0]),
            Self.isName(words[1]), let version = Int(words[2].dropFirst()), version >= 1,
            words[2] == "v\(version)"
        else { return nil }
        context = String(parts[0])
        fact = words.prefix(2).joined(separator: ".")
        self.version = version
    }

    private init(context: String, fact: String, version: Int) {
        self.context = context
        self.fact = fact
        self.version = version
    }

    package var path: String { "\(context)/\(fact).v\(version).json" }
    package var description: String { "\(context).\(fact).v\(version)" }

    /// The fact without its version.
    package var key: String { "\(context)/\(fact)" }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
        return text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
    }
}
