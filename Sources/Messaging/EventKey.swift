package import Kernel

/// An aggregate as a consumer sees it: what its events have in common, and are kept in order by.
package struct EventKey: Hashable, Sendable {
    package let tenantID: TenantID
    package let topic: String
    package let key: [UInt8]

    package init(tenantID: TenantID, topic: String, key: [UInt8]) {
        self.tenantID = tenantID
        self.topic = topic
        self.key = key
    }
}

extension EventKey: CustomStringConvertible {
    /// As operators read and write it: `orders.order/0198…`; a key that is no text stands in hexadecimal digits.
    package var description: String { "\(topic)/\(Self.text(of: key))" }

    package static func text(of key: [UInt8]) -> String {
        if let text = String(validating: key, as: UTF8.self), !text.hasPrefix("0x"),
            text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
        {
            return text
        }
        return "0x" + key.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Reads what `text(of:)` writes.
    package static func bytes(of text: String) -> [UInt8] {
        let digits = text.dropFirst(2)
        guard text.hasPrefix("0x"), digits.utf8.count.isMultiple(of: 2) else { return Array(text.utf8) }
        var bytes: [UInt8] = []
        var rest = digits
        while !rest.isEmpty {
            guard let byte = UInt8(rest.prefix(2), radix: 16) else { return Array(text.utf8) }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }
}
