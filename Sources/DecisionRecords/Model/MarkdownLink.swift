import Foundation

/// One link of a line: `[text](target)`, or `[name]: target` with no text.
package struct MarkdownLink: Sendable, Hashable {
    package let text: String
    /// As written, without `<>` and the title.
    package let target: String
    /// Where the whole lies in the line, and where its target does, in UTF-8 bytes.
    let range: Range<Int>
    let targetRange: Range<Int>

    /// The file that it points to, percent escapes and fragment taken off; nil where it points out of the project.
    package var file: String? {
        let path = target.prefix { $0 != "#" && $0 != "?" }
        guard !path.isEmpty, !path.hasPrefix("/"), path.firstMatch(of: /^[A-Za-z][A-Za-z0-9+.\-]*:/) == nil else {
            return nil
        }
        return String(path).removingPercentEncoding ?? String(path)
    }

    static func all(in line: Document.Line) -> [MarkdownLink] {
        let bytes = line.bytes
        let isCode = codeSpans(bytes)
        var links: [MarkdownLink] = []
        var index = 0
        while index + 1 < bytes.count {
            guard bytes[index] == UInt8(ascii: "]"), bytes[index + 1] == UInt8(ascii: "("), !isCode[index],
                let start = opening(of: index, in: bytes, after: links.last?.range.upperBound ?? 0),
                let end = closing(from: index + 2, in: bytes)
            else {
                index += 1
                continue
            }
            let target = targetRange(index + 2, end, in: bytes)
            links.append(
                MarkdownLink(
                    text: unescaped(String(decoding: bytes[(start + 1)..<index], as: UTF8.self)),
                    target: String(decoding: bytes[target], as: UTF8.self), range: start..<(end + 1),
                    targetRange: target))
            index = end + 1
        }
        return links.isEmpty ? definition(line).map { [$0] } ?? [] : links
    }

    /// How a link is written whose text is any title and whose target any file.
    static func text(_ title: String, to file: String, prefix: String = "") -> String {
        let title = title.replacing(/[\[\]\\]/) { "\\" + $0.output }
        return "[\(title)](\(prefix)\(escaped(file)))"
    }

    static func escaped(_ file: String) -> String {
        file.replacing(/[ ()<>#?%]/) { match in
            match.output.utf8.map { "%" + String($0, radix: 16, uppercase: true) }.joined()
        }
    }

    private static func unescaped(_ text: String) -> String {
        text.replacing(/\\([\[\]\\])/) { $0.output.1 }
    }

    private static func codeSpans(_ bytes: [UInt8]) -> [Bool] {
        var isCode = Array(repeating: false, count: bytes.count)
        let tick = UInt8(ascii: "`")
        guard let first = bytes.firstIndex(of: tick) else { return isCode }
        var index = first
        while index < bytes.count {
            guard bytes[index] == tick else {
                index += 1
                continue
            }
            let run = bytes[index...].prefix { $0 == tick }.count
            var end = index + run
            while end < bytes.count {
                let closing = bytes[end...].prefix { $0 == tick }.count
                if closing == run {
                    for place in index..<(end + run) { isCode[place] = true }
                    break
                }
                end += max(closing, 1)
            }
            index = isCode[index] ? end + run : index + run
        }
        return isCode
    }

    private static func opening(of close: Int, in bytes: [UInt8], after floor: Int) -> Int? {
        var depth = 0
        for index in stride(from: close - 1, through: floor, by: -1) {
            if index > 0, bytes[index - 1] == UInt8(ascii: "\\") { continue }
            if bytes[index] == UInt8(ascii: "]") { depth += 1 }
            if bytes[index] == UInt8(ascii: "[") {
                if depth == 0 { return index }
                depth -= 1
            }
        }
        return nil
    }

    private static func closing(from start: Int, in bytes: [UInt8]) -> Int? {
        var depth = 0
        for index in start..<max(start, bytes.count) {
            if bytes[index] == UInt8(ascii: "(") { depth += 1 }
            if bytes[index] == UInt8(ascii: ")") {
                if depth == 0 { return index }
                depth -= 1
            }
        }
        return nil
    }

    private static func targetRange(_ start: Int, _ end: Int, in bytes: [UInt8]) -> Range<Int> {
        var (low, high) = (start, end)
        while low < high, bytes[low] == 0x20 { low += 1 }
        if low < high, bytes[low] == UInt8(ascii: "<"),
            let close = bytes[low..<high].firstIndex(of: UInt8(ascii: ">"))
        {
            return (low + 1)..<close
        }
        high = bytes[low..<high].firstIndex(of: 0x20) ?? high
        return low..<high
    }

    private static func definition(_ line: Document.Line) -> MarkdownLink? {
        let text = line.text
        guard let match = text.firstMatch(of: /^ {0,3}\[[^\]^][^\]]*\]:\s*<?([^\s>]+)/) else { return nil }
        let target = match.output.1
        let low = text.utf8.distance(from: text.startIndex, to: target.startIndex)
        return MarkdownLink(
            text: "", target: String(target), range: 0..<line.bytes.count,
            targetRange: low..<(low + target.utf8.count))
    }
}
