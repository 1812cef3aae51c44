package import Kernel

/// The schemas that hold a tenant's tables: those that carry the contexts' names, or a set of the tenant's own.
package enum SchemaSet: Hashable, Sendable {
    case base
    case own(TenantID)

    /// What a schema of the tenant's own has behind its context's name: `orders__t0198…`.
    package var suffix: String? {
        switch self {
        case .base: nil
        case .own(let tenant): TenantSchemas.suffix(of: tenant)
        }
    }

    package func name(of context: String) -> String {
        suffix.map { "\(context)\(Self.separator)\($0)" } ?? context
    }

    static let separator = "__"

    /// Tables of the event backbone, which all tenants of a database share.
    static let shared: Set<String> = [
        "outbox", "outbox_cursor", "outbox_relays", "outbox_drops", "inbox", "dead_letters", "parked_keys",
        "operator_actions", "consumed", "stream_gaps", "inbox_horizons", "receipts",
    ]

    /// Puts the tenant's own schema in place of the context's wherever a statement names one of its tables or functions:
    /// `orders.orders` becomes `orders__t0198….orders`. Literals, quoted names and comments stay as they are.
    package func resolve(_ text: String, context: String) -> String {
        guard suffix != nil else { return text }
        let source = Array(text.utf8)
        let schema = Array(context.utf8)
        let own = Array(name(of: context).utf8)
        var result: [UInt8] = []
        result.reserveCapacity(source.count + 4 * own.count)
        var scanner = Scanner(source)
        while let token = scanner.next() {
            let bytes = source[token.range]
            if token.isWord, bytes.elementsEqual(schema), !scanner.follows(.init(ascii: "."), before: token.range),
                let table = scanner.nameAfterDot(token.range.upperBound), !Self.shared.contains(table)
            {
                result += own
            } else {
                result += bytes
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension TenantID {
    /// Without hyphens, as names in PostgreSQL hold it.
    package var hexDigits: String { description.replacing("-", with: "") }
}

/// Cuts SQL into words and everything else, as far as it takes to tell a name from a literal.
private struct Scanner {
    struct Token {
        let range: Range<Int>
        let isWord: Bool
    }

    private let source: [UInt8]
    private var position = 0

    init(_ source: [UInt8]) {
        self.source = source
    }

    mutating func next() -> Token? {
        guard position < source.count else { return nil }
        let start = position
        let byte = source[position]
        switch byte {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): skipQuoted(byte)
        case UInt8(ascii: "-") where at(position + 1) == byte: skip(until: [UInt8(ascii: "\n")])
        case UInt8(ascii: "/") where at(position + 1) == UInt8(ascii: "*"): skip(until: Array("*/".utf8))
        case UInt8(ascii: "$") where dollarTag != nil: skip(until: dollarTag ?? [], from: dollarTag?.count ?? 0)
        case _ where isWordByte(byte):
            while position < source.count, isWordByte(source[position]) { position += 1 }
            return Token(range: start..<position, isWord: true)
        default: position += 1
        }
        return Token(range: start..<position, isWord: false)
    }

    func follows(_ byte: UInt8, before range: Range<Int>) -> Bool {
        range.lowerBound > 0 && source[range.lowerBound - 1] == byte
    }

    func nameAfterDot(_ index: Int) -> String? {
        guard at(index) == UInt8(ascii: "."), let first = at(index + 1), isWordByte(first) else { return nil }
        var end = index + 1
        while let byte = at(end), isWordByte(byte) { end += 1 }
        return String(decoding: source[(index + 1)..<end], as: UTF8.self)
    }

    private func at(_ index: Int) -> UInt8? { index < source.count ? source[index] : nil }

    private mutating func skipQuoted(_ quote: UInt8) {
        position += 1
        while position < source.count {
            position += 1
            guard source[position - 1] == quote else { continue }
            // A doubled quote stands for one.
            guard at(position) == quote else { return }
            position += 1
        }
    }

    private mutating func skip(until end: [UInt8], from offset: Int = 2) {
        position = min(position + offset, source.count)
        while position < source.count {
            if source[position...].starts(with: end) {
                position += end.count
                return
            }
            position += 1
        }
    }

    /// `$$` or `$tag$`, where one begins here; `$1` is a parameter.
    private var dollarTag: [UInt8]? {
        var end = position + 1
        while let byte = at(end), byte != UInt8(ascii: "$") {
            guard isWordByte(byte), end > position + 1 || !isDigit(byte) else { return nil }
            end += 1
        }
        guard at(end) != nil else { return nil }
        return Array(source[position...end])
    }

    private func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private func isWordByte(_ byte: UInt8) -> Bool {
        isDigit(byte) || byte == UInt8(ascii: "_") || byte >= 0x80
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
