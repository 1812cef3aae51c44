/// Appends text to a log line so that nothing in it can end the line, forge a field or steer a terminal.
struct LogText {
    var bytes: [UInt8] = []

    init(capacity: Int = 512) {
        bytes.reserveCapacity(capacity)
    }

    mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    mutating func quoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        escaped(text)
        bytes.append(UInt8(ascii: "\""))
    }

    /// JSON's escapes, and the same for DEL, the C1 controls and the Unicode line ends.
    mutating func escaped(_ text: String) {
        var text = text
        text.withUTF8 { utf8 in
            var at = 0
            while at < utf8.count {
                let byte = utf8[at]
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0x0A: raw("\\n")
                case 0x0D: raw("\\r")
                case 0x09: raw("\\t")
                case 0..<0x20, 0x7F: unicode(UInt16(byte))
                case 0xC2 where at + 1 < utf8.count && utf8[at + 1] < 0xA0:
                    unicode(UInt16(utf8[at + 1]))
                    at += 1
                case 0xE2 where at + 2 < utf8.count && utf8[at + 1] == 0x80 && utf8[at + 2] & 0xFE == 0xA8:
                    unicode(0x2000 | UInt16(utf8[at + 2] & 0x3F))
                    at += 2
                default: bytes.append(byte)
                }
                at += 1
            }
        }
    }

    private mutating func unicode(_ value: UInt16) {
        raw("\\u")
        for shift in [12, 8, 4, 0] {
            let digit = UInt8(value >> UInt16(shift) & 0x0F)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
