/// How the HTTP server is to behave.
package struct WebConfiguration: Sendable {
    package var host: String
    /// 0 asks the system for a free one, which `WebServer.port` then tells.
    package var port: Int
    package var operatorKey: String
    /// What cursors are signed with, the same in every process.
    package var secret: [UInt8]
    package var maximumBodySize = 1 << 20
    /// From the first byte of a body to its last.
    package var bodyTimeout: Duration = .seconds(30)
    /// How long a connection may be silent while we wait for a request or for more of one.
    package var idleTimeout: Duration = .seconds(60)
    package var maximumConnections = 10_000
    package var healthDeadline: Duration = .seconds(2)

    package init(host: String = "127.0.0.1", port: Int, operatorKey: String, secret: [UInt8]) {
        self.host = host
        self.port = port
        self.operatorKey = operatorKey
        self.secret = secret
    }
}
