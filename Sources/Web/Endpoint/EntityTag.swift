/// One entity tag of RFC 9110, section 8.8.3.
struct EntityTag: Hashable, Sendable {
    let isWeak: Bool
    let opaque: String

    init?(_ field: String) {
        var text = field[...]
        isWeak = text.hasPrefix("W/")
        if isWeak { text.removeFirst(2) }
        guard text.utf8.count >= 2, text.utf8.first == UInt8(ascii: "\""), text.utf8.last == UInt8(ascii: "\"") else {
            return nil
        }
        text = text.dropFirst().dropLast()
        guard text.utf8.allSatisfy({ $0 == 0x21 || (0x23...0x7E).contains($0) || $0 >= 0x80 }) else { return nil }
        opaque = String(text)
    }

    /// The version that the tag stands for, where it is one that we could have given out.
    var version: Int64? {
        guard let version = Int64(opaque), String(version) == opaque else { return nil }
        return version
    }
}
