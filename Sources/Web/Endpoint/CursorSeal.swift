import Crypto
import Foundation
import Kernel

/// Makes cursors that only we can make: the key of a row, bound to one operation by a MAC.
package struct CursorSeal: Sendable {
    private let key: SymmetricKey

    /// The same secret in every process, so that a cursor outlives a restart and travels between them.
    package init(secret: [UInt8]) {
        key = HKDF<SHA256>.deriveKey(
            inputKeyMaterial: SymmetricKey(data: secret), info: Array("atrium cursor".utf8), outputByteCount: 32)
    }

    func seal<Key>(_ value: Key, operation: String, as shape: Shape<Key>) -> String {
        var writer = JSONWriter()
        shape.encode(value, into: &writer)
        return Data(tag(writer.bytes, operation) + writer.bytes).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    func open<Key>(_ text: String, operation: String, as shape: Shape<Key>) -> Key? {
        guard text.utf8.count <= 2048, !text.utf8.contains(where: { "+/=".utf8.contains($0) }) else { return nil }
        let padded =
            text.replacing("-", with: "+").replacing("_", with: "/")
            + String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), data.count > Self.tagLength else { return nil }
        let payload = Array(data.dropFirst(Self.tagLength))
        guard isSame(tag(payload, operation), data.prefix(Self.tagLength)), let json = try? JSON.parse(payload) else {
            return nil
        }
        var violations: [Violation] = []
        return shape.decode(json, into: &violations)
    }

    private static let tagLength = 12

    private func tag(_ payload: [UInt8], _ operation: String) -> [UInt8] {
        var mac = HMAC<SHA256>(key: key)
        mac.update(data: Array(operation.utf8) + [0])
        mac.update(data: payload)
        return Array(mac.finalize().prefix(Self.tagLength))
    }
}

/// Takes the same time wherever the two differ.
func isSame(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}
