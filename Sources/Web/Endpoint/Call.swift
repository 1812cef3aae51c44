package import Kernel
package import Logging
package import Tenancy

/// One authenticated, checked and decoded request, as its handler sees it.
package struct Call<Who: Sendable, Body: Sendable, Output: Sendable>: Sendable {
    package let who: Who
    package let body: Body
    package let requestID: String
    package let correlation: Correlation
    /// Carries the request, the correlation, the operation and, where there is one, the tenant on every line.
    package let logger: Logger

    /// How far the call has written: the answer's `Atrium-Consistency`.
    package let progress: WriteProgress

    let success: Success<Output>
    let frame: CallFrame

    /// The value of a parameter that the endpoint declares.
    package subscript<P: DeclaredParameter>(parameter: P) -> P.Value {
        get throws {
            let names = parameter.specifications.map(\.name)
            for (index, declared) in frame.parameterNames.enumerated() where declared == names {
                if let value = frame.values[index] as? P.Value { return value }
            }
            throw EndpointFault("\(frame.operation) reads \(names), which it doesn't declare")
        }
    }

    /// The version that the caller last read, from If-Match, on an endpoint declared with `ifMatch: true`.
    package var ifMatch: Int64 {
        get throws {
            guard let version = frame.version else {
                throw EndpointFault("\(frame.operation) reads If-Match, which it doesn't declare")
            }
            return version
        }
    }

    /// The caller's Idempotency-Key, and what makes a repeated request the same request.
    package var idempotency: (key: String, fingerprint: [UInt8]) {
        get throws {
            guard let key = frame.idempotencyKey else {
                throw EndpointFault("\(frame.operation) reads Idempotency-Key, which it doesn't declare")
            }
            return (key, frame.fingerprint())
        }
    }

    /// The answer, encoded once: the same bytes go to the caller and into the receipt.
    package func reply(_ output: Output, version: Int64? = nil, location: String? = nil) -> Reply<Output> {
        var writer = JSONWriter()
        success.shape?.encode(output, into: &writer)
        return Reply(status: success.status, version: version, location: location, body: writer.bytes)
    }

    /// What the repository keeps in the command's transaction, so that a repeated request gets this very answer.
    package func receipt(for reply: Reply<Output>) throws -> CommandReceipt {
        guard let key = frame.idempotencyKey else {
            throw EndpointFault("\(frame.operation) makes a receipt, but declares no idempotency")
        }
        return CommandReceipt(
            key: key, fingerprint: frame.fingerprint(), status: reply.status, headers: reply.receiptHeaders,
            body: reply.body)
    }
}

extension Call where Who == TenantCaller {
    package var caller: Caller { who.caller }
    package var tenant: TenantContext { who.tenant }
}

extension Call where Output == Void {
    package func reply(version: Int64? = nil) -> Reply<Void> {
        reply((), version: version)
    }
}

/// A mistake in an endpoint's own code, found while it served a request.
struct EndpointFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
