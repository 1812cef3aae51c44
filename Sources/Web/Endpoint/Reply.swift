import Kernel
import Tenancy

/// What an endpoint answers: made by `call.reply`, so that its status and body are those that the endpoint declares.
package struct Reply<Output: Sendable>: Sendable {
    let status: Int
    let version: Int64?
    let location: String?
    let body: [UInt8]

    var receiptHeaders: [CommandReceipt.Header] {
        var headers: [CommandReceipt.Header] = []
        if let version { headers.append(.init(name: "ETag", value: entityTag(version))) }
        if let location { headers.append(.init(name: "Location", value: location)) }
        return headers
    }
}

func entityTag(_ version: Int64) -> String {
    "\"\(version)\""
}
