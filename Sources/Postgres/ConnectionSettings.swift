import CPostgres
import Glibc

/// Where a database is, and who connects to it.
package struct ConnectionSettings: Sendable, Hashable {
    /// Names, addresses or folders of Unix sockets, separated by commas where there are several to try.
    package var host: String
    /// One port for all hosts, or one for each, separated by commas.
    package var port: String
    package var user: String
    package var password: String?
    package var database: String
    package var applicationName: String
    package var connectTimeout: Duration = .seconds(5)
    /// Any other parameter of libpq, such as `sslmode`, `target_session_attrs` or `options`.
    package var parameters: [String: String] = [:]
    /// How many statements each connection keeps prepared.
    package var statementCacheCapacity = 256
    /// Off for a PgBouncer in transaction mode, where the next flight may meet a server that knows no statement by name.
    package var preparesStatements = true

    package init(
        host: String, port: Int = 5432, user: String, password: String? = nil, database: String,
        applicationName: String = "atrium", parameters: [String: String] = [:]
    ) {
        self.host = host
        self.port = String(port)
        self.user = user
        self.password = password
        self.database = database
        self.applicationName = applicationName
        self.parameters = parameters
    }

    /// Reads a URL (`postgresql://user@host:port/database?option=value`) or `keyword=value` pairs, as libpq does.
    package init(_ text: String) throws {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &message) else {
            defer { PQfreemem(message) }
            // libpq quotes the text it doesn't understand, and the text may hold a password.
            let reason = message.map { String(cString: $0).trimmedLine } ?? "out of memory"
            throw PostgresError(.invalidSettings, reason.contains("\"") ? "not a connection URL" : reason)
        }
        defer { PQconninfoFree(options) }
        var found: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        host = found.removeValue(forKey: "host") ?? found.removeValue(forKey: "hostaddr") ?? "localhost"
        port = found.removeValue(forKey: "port") ?? "5432"
        user = found.removeValue(forKey: "user") ?? "postgres"
        password = found.removeValue(forKey: "password")
        database = found.removeValue(forKey: "dbname") ?? user
        applicationName = found.removeValue(forKey: "application_name") ?? "atrium"
        if let timeout = found.removeValue(forKey: "connect_timeout") {
            guard let seconds = Int(timeout), seconds > 0 else {
                throw PostgresError(.invalidSettings, "connect_timeout must be a number of seconds, 1 or more")
            }
            connectTimeout = .seconds(seconds)
        }
        parameters = found
    }

    /// Whether some host is neither an address nor the folder of a Unix socket.
    var needsNameLookup: Bool {
        host.split(separator: ",").contains { host in
            var address = in6_addr()
            return !host.hasPrefix("/") && inet_pton(AF_INET, String(host), &address) != 1
                && inet_pton(AF_INET6, String(host), &address) != 1
        }
    }

    /// Why no connection can be made like this.
    var flaw: String? {
        guard !preparesStatements, parameters["options"] != nil else { return nil }
        return "PgBouncer takes no options: set them for the role or the database (ALTER ROLE … SET)"
    }

    /// What libpq is given.
    var keywords: [(String, String)] {
        var all = parameters
        all["host"] = host
        all["port"] = port
        all["user"] = user
        all["password"] = password
        all["dbname"] = database
        all["application_name"] = applicationName
        all["client_encoding"] = "UTF8"
        // Asking for Kerberos costs a round trip with most servers; whoever uses it says so.
        all["gssencmode"] = all["gssencmode"] ?? "disable"
        return all.sorted { $0.key < $1.key }
    }
}

extension ConnectionSettings: CustomStringConvertible {
    package var description: String { "\(user)@\(host):\(port)/\(database)" }
}
