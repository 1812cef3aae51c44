extension JSON {
    /// Arrays and objects inside one another, at most.
    public static let maximumDepth = 64

    /// Reads one strict RFC 8259 text: duplicate names, deep nesting, invalid UTF-8 and trailing bytes are refused.
    public static func parse(_ bytes: UnsafeRawBufferPointer) throws(JSONError) -> JSON {
        var parser = JSONParser(bytes)
        return try parser.document()
    }

    public static func parse(_ bytes: some Sequence<UInt8>) throws(JSONError) -> JSON {
        let bytes = Array(bytes)
        return try bytes.withUnsafeBytes { raw in Result { () throws(JSONError) in try parse(raw) } }.get()
    }

    public static func parse(_ text: String) throws(JSONError) -> JSON {
        try parse(text.utf8)
    }
}

/// One pass over the bytes, from left to right, with no copy but the values' own.
private struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private var at = 0
    private var depth = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    mutating func document() throws(JSONError) -> JSON {
        skipSpace()
        let value = try value()
        skipSpace()
        guard at == bytes.count else { throw error(.trailingBytes) }
        return value
    }

    private mutating func value() throws(JSONError) -> JSON {
        switch try current() {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        case UInt8(ascii: "t"):
            try literal("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try literal("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try literal("null")
            return .null
        default: throw error(.unexpectedCharacter)
        }
    }

    // MARK: Containers

    private mutating func object() throws(JSONError) -> JSON {
        try descend()
        var members: [JSONObject.Member] = []
        skipSpace()
        if try current() == UInt8(ascii: "}") { return ascend(.object(JSONObject())) }
        members.reserveCapacity(8)
        var names: Set<String>?
        while true {
            let start = at
            guard try current() == UInt8(ascii: "\"") else { throw error(.unexpectedCharacter) }
            let name = try string()
            guard !isRepeated(name, among: members, &names) else { throw error(.duplicateName, at: start) }
            skipSpace()
            guard try current() == UInt8(ascii: ":") else { throw error(.unexpectedCharacter) }
            at += 1
            skipSpace()
            members.append(JSONObject.Member(name: name, value: try value()))
            skipSpace()
            switch try current() {
            case UInt8(ascii: ","):
                at += 1
                skipSpace()
            case UInt8(ascii: "}"): return ascend(.object(JSONObject(members)))
            default: throw error(.unexpectedCharacter)
            }
        }
    }

    /// Few names are compared one by one; many are kept in a set, so that a hostile object can't cost quadratic time.
    private func isRepeated(_ name: String, among members: [JSONObject.Member], _ names: inout Set<String>?) -> Bool {
        if members.count < 16 { return members.contains { $0.name == name } }
        if names == nil { names = Set(members.map(\.name)) }
        return !names!.insert(name).inserted
    }

    private mutating func array() throws(JSONError) -> JSON {
        try descend()
        var elements: [JSON] = []
        skipSpace()
        if try current() == UInt8(ascii: "]") { return ascend(.array([])) }
        while true {
            elements.append(try value())
            skipSpace()
            switch try current() {
            case UInt8(ascii: ","):
                at += 1
                skipSpace()
            case UInt8(ascii: "]"): return ascend(.array(elements))
            default: throw error(.unexpectedCharacter)
            }
        }
    }

    private mutating func descend() throws(JSONError) {
        guard depth < JSON.maximumDepth else { throw error(.tooDeep) }
        depth += 1
        at += 1
    }

    private mutating func ascend(_ value: JSON) -> JSON {
        depth -= 1
        at += 1
        return value
    }

    // MARK: Scalars

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        for offset in 0..<text.utf8CodeUnitCount {
            guard try current() == text.utf8Start[offset] else { throw error(.unexpectedCharacter) }
            at += 1
        }
    }

    private mutating func number() throws(JSONError) -> String {
        let start = at
        if bytes[at] == UInt8(ascii: "-") { at += 1 }
        guard at < bytes.count else { throw error(.unexpectedEnd) }
        if bytes[at] == UInt8(ascii: "0") {
            at += 1
            if isDigit { throw error(.invalidNumber, at: start) }
        } else {
            try digits(from: start)
        }
        if at < bytes.count, bytes[at] == UInt8(ascii: ".") {
            at += 1
            try digits(from: start)
        }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < bytes.count, bytes[at] == UInt8(ascii: "+") || bytes[at] == UInt8(ascii: "-") { at += 1 }
            try digits(from: start)
        }
        return String(decoding: UnsafeRawBufferPointer(rebasing: bytes[start..<at]), as: UTF8.self)
    }

    private var isDigit: Bool {
        at < bytes.count && bytes[at] &- UInt8(ascii: "0") < 10
    }

    private mutating func digits(from start: Int) throws(JSONError) {
        guard isDigit else {
            throw at < bytes.count ? error(.invalidNumber, at: start) : error(.unexpectedEnd)
        }
        while isDigit { at += 1 }
    }

    private mutating func string() throws(JSONError) -> String {
        let opening = at
        at += 1
        let start = at
        var isASCII: UInt8 = 0
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\"") {
                let text = try validated(bytes[start..<at], isASCII: isASCII < 0x80, opening: opening)
                at += 1
                return text
            }
            if byte == UInt8(ascii: "\\") { return try escapedString(from: start) }
            guard byte >= 0x20 else { throw error(.controlCharacter) }
            isASCII |= byte
            at += 1
        }
        throw error(.unexpectedEnd)
    }

    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        var text = Array(bytes[start..<at])
        while at < bytes.count {
            let byte = bytes[at]
            switch byte {
            case UInt8(ascii: "\""):
                guard let valid = String(validating: text, as: UTF8.self) else {
                    throw error(.invalidUTF8, at: start)
                }
                at += 1
                return valid
            case UInt8(ascii: "\\"):
                try escape(into: &text)
            default:
                guard byte >= 0x20 else { throw error(.controlCharacter) }
                text.append(byte)
                at += 1
            }
        }
        throw error(.unexpectedEnd)
    }

    private func validated(
        _ slice: Slice<UnsafeRawBufferPointer>, isASCII: Bool, opening: Int
    ) throws(JSONError) -> String {
        let raw = UnsafeRawBufferPointer(rebasing: slice)
        if isASCII { return String(decoding: raw, as: UTF8.self) }
        guard let text = String(validating: raw, as: UTF8.self) else { throw error(.invalidUTF8, at: opening) }
        return text
    }

    private mutating func escape(into text: inout [UInt8]) throws(JSONError) {
        let start = at
        at += 1
        let kind = try current()
        at += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(kind)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try scalar(from: start)).utf8)
        default: throw error(.invalidEscape, at: start)
        }
    }

    private mutating func scalar(from start: Int) throws(JSONError) -> Character {
        let first = try hexUnit(from: start)
        if let scalar = Unicode.Scalar(first) { return Character(scalar) }
        guard first < 0xDC00, at + 1 < bytes.count, bytes[at] == UInt8(ascii: "\\"), bytes[at + 1] == UInt8(ascii: "u")
        else { throw error(.loneSurrogate, at: start) }
        at += 2
        let second = try hexUnit(from: start)
        guard (0xDC00...0xDFFF).contains(second) else { throw error(.loneSurrogate, at: start) }
        let value = 0x10000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00)
        return Character(Unicode.Scalar(value)!)
    }

    private mutating func hexUnit(from start: Int) throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            let byte = try current()
            let digit: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
            default: throw error(.invalidEscape, at: start)
            }
            unit = unit << 4 | UInt16(digit)
            at += 1
        }
        return unit
    }

    // MARK: Position

    @inline(__always)
    private func current() throws(JSONError) -> UInt8 {
        guard at < bytes.count else { throw error(.unexpectedEnd) }
        return bytes[at]
    }

    @inline(__always)
    private mutating func skipSpace() {
        while at < bytes.count {
            switch bytes[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            default: return
            }
        }
    }

    private func error(_ reason: JSONError.Reason, at place: Int? = nil) -> JSONError {
        let before = bytes[..<(place ?? at)]
        let line = 1 + before.count { $0 == 0x0A }
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return JSONError(reason: reason, line: line, column: before.count - lineStart + 1)
    }
}
