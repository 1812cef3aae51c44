package import Tenancy

/// Where the receipts of an endpoint that asks for an `Idempotency-Key` are found.
package struct Idempotency<Who: Sendable>: Sendable {
    let find: (@Sendable (String, Who) async throws -> CommandReceipt?)?

    /// The endpoint takes no key.
    package static var none: Idempotency { Idempotency(find: nil) }

    package static func receipts(
        _ find: @escaping @Sendable (_ key: String, _ who: Who) async throws -> CommandReceipt?
    ) -> Idempotency {
        Idempotency(find: find)
    }
}

extension Idempotency where Who == TenantCaller {
    package static func receipts(_ store: ReceiptStore) -> Idempotency {
        Idempotency { try await store.find($0, of: $1.tenant) }
    }
}

/// Reads a structured-field string (draft-ietf-httpapi-idempotency-key-header) or the bare token many clients send.
func idempotencyKey(_ field: String) -> String? {
    var key = field[...]
    if key.utf8.first == UInt8(ascii: "\"") {
        guard key.utf8.count >= 2, key.utf8.last == UInt8(ascii: "\"") else { return nil }
        key = key.dropFirst().dropLast()
        var plain = ""
        var isEscaped = false
        for character in key.unicodeScalars {
            if isEscaped {
                guard character == "\"" || character == "\\" else { return nil }
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
                continue
            } else if character == "\"" {
                return nil
            }
            plain.unicodeScalars.append(character)
        }
        guard !isEscaped else { return nil }
        key = plain[...]
    } else if key.utf8.contains(where: { $0 == 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: ",") }) {
        return nil
    }
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return nil }
    return String(key)
}
