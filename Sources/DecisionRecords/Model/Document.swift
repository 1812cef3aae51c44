/// A text as lines that keep their own endings, so that what nobody changes is written back byte for byte.
package struct Document: Sendable, Hashable {
    package struct Line: Sendable, Hashable {
        package var bytes: [UInt8]
        /// LF, CRLF, or nothing at the end of a file without a final newline.
        package var ending: [UInt8]

        package var text: String { String(decoding: bytes, as: UTF8.self) }
        var isBlank: Bool { bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 } }
    }

    /// The byte order mark, where the file has one.
    private let mark: [UInt8]
    package private(set) var lines: [Line] = []

    package init(_ bytes: [UInt8]) {
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        mark = bytes.starts(with: byteOrderMark) ? byteOrderMark : []
        var start = mark.count
        for (index, byte) in bytes.enumerated() where byte == 0x0A && index >= start {
            let isPair = index > start && bytes[index - 1] == 0x0D
            let end = isPair ? index - 1 : index
            lines.append(Line(bytes: Array(bytes[start..<end]), ending: Array(bytes[end...index])))
            start = index + 1
        }
        if start < bytes.count { lines.append(Line(bytes: Array(bytes[start...]), ending: [])) }
    }

    package init(_ text: String) {
        self.init(Array(text.utf8))
    }

    package var bytes: [UInt8] { mark + lines.flatMap { $0.bytes + $0.ending } }
    package var text: String { String(decoding: bytes, as: UTF8.self) }

    /// How new lines end: as the first one does.
    private var newEnding: [UInt8] { lines.first.map(\.ending).flatMap { $0.isEmpty ? nil : $0 } ?? [0x0A] }

    package mutating func replace(_ index: Int, with text: String) {
        lines[index].bytes = Array(text.utf8)
    }

    mutating func replace(_ index: Int, withBytes bytes: [UInt8]) {
        lines[index].bytes = bytes
    }

    package mutating func insert(_ texts: [String], at index: Int) {
        let ending = newEnding
        if index == lines.count, let last = lines.indices.last, lines[last].ending.isEmpty {
            lines[last].ending = ending
        }
        lines.insert(contentsOf: texts.map { Line(bytes: Array($0.utf8), ending: ending) }, at: index)
    }

    mutating func remove(_ indices: Set<Int>) {
        lines = lines.enumerated().filter { !indices.contains($0.offset) }.map(\.element)
    }
}
