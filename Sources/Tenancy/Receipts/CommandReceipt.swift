/// The answer to a command that carried an `Idempotency-Key`, kept in the command's own transaction so that a repeated
/// request finds it if, and only if, the first one took effect.
package struct CommandReceipt: Sendable, Hashable {
    /// The client's key, unique within the tenant and the context.
    package let key: String
    /// SHA-256 over the method, the path and the body of the request.
    package let fingerprint: [UInt8]
    package let status: Int
    package let headers: [Header]
    package let body: [UInt8]

    package struct Header: Sendable, Hashable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(key: String, fingerprint: [UInt8], status: Int, headers: [Header], body: [UInt8]) {
        self.key = key
        self.fingerprint = fingerprint
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// The key was used before: nothing was done this time.
package struct ReceiptExists: Error, Hashable {
    package let key: String

    package init(key: String) {
        self.key = key
    }
}

/// The aggregate was changed by somebody else since it was read: nothing was done this time.
package struct StaleVersion: Error, Hashable {
    package init() {}
}
