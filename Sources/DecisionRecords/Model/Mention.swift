/// A record named by its number alone: `ADR 12`, `ADR-0012`, `record 12`, `records 3`.
package struct Mention: Sendable, Hashable {
    package let number: Int
    /// Where the digits lie in the line, in UTF-8 bytes.
    let digits: Range<Int>
    /// Whether it says `ADR`, which can mean nothing else.
    let isPlain: Bool

    private static let words: [(word: [UInt8], isPlain: Bool)] = [
        (Array("adr".utf8), true), (Array("adrs".utf8), true), (Array("record".utf8), false),
        (Array("records".utf8), false),
    ]

    package static func numbers(in text: String) -> [Int] { all(in: Array(text.utf8)).map(\.number) }

    static func all(in bytes: [UInt8]) -> [Mention] {
        var mentions: [Mention] = []
        var index = 0
        while index < bytes.count {
            guard isLetter(bytes[index]) else {
                index += 1
                continue
            }
            let end = bytes[index...].firstIndex { !isLetter($0) } ?? bytes.count
            defer { index = end }
            guard index == 0 || !isPartOfName(bytes[index - 1]), (3...7).contains(end - index) else { continue }
            let word = bytes[index..<end].map { $0 | 0x20 }
            guard let known = words.first(where: { $0.word == word }),
                let digits = digits(in: bytes, from: end),
                let number = Int(String(decoding: bytes[digits], as: UTF8.self))
            else { continue }
            mentions.append(Mention(number: number, digits: digits, isPlain: known.isPlain))
        }
        return mentions
    }

    /// After a space, a dash or nothing, with `#` before them at most; no part of a longer name, a version or a sum.
    private static func digits(in bytes: [UInt8], from end: Int) -> Range<Int>? {
        let between = Array(" -#".utf8)
        var start = end
        while start < bytes.count, start < end + 2, between.contains(bytes[start]) {
            start += 1
        }
        let stop = bytes[min(start, bytes.count)...].firstIndex { !isDigit($0) } ?? bytes.count
        guard stop > start, stop - start < 10 else { return nil }
        if stop < bytes.count {
            if isLetter(bytes[stop]) || bytes[stop] == UInt8(ascii: "_") { return nil }
            let isJoined = [UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "%")].contains(bytes[stop])
            if isJoined, bytes[stop] == UInt8(ascii: "%") || stop + 1 < bytes.count && isDigit(bytes[stop + 1]) {
                return nil
            }
        }
        return start..<stop
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isPartOfName(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".")
            || byte >= 0x80
    }
}
