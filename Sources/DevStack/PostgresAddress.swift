import Foundation

/// Where a PostgreSQL server listens and as whom to log in.
package struct PostgresAddress: Hashable, Sendable {
    package var host: String
    package var port: Int
    package var user: String
    package var password: String
    package var database: String
    /// The folder of the server's Unix socket; nil when it is only to be reached over TCP.
    package var socketDirectory: String?

    package init(
        host: String = "127.0.0.1", port: Int, user: String, password: String, database: String,
        socketDirectory: String? = nil
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database
        self.socketDirectory = socketDirectory
    }

    package func database(_ name: String) -> PostgresAddress {
        var other = self
        other.database = name
        return other
    }

    package func user(_ name: String, password: String) -> PostgresAddress {
        var other = self
        other.user = name
        other.password = password
        return other
    }

    /// The address as a connection URI over TCP, the password included.
    package var url: String {
        "postgresql://\(escaped(user)):\(escaped(password))@\(host):\(port)/\(escaped(database))"
    }

    private func escaped(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: .alphanumerics.union(CharacterSet(charactersIn: "-._~")))
            ?? text
    }
}

extension PostgresAddress: CustomStringConvertible {
    /// Without the password, so that it may be logged.
    package var description: String { "postgresql://\(user)@\(host):\(port)/\(database)" }
}
