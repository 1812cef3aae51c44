import Configuration
import Foundation
import Logging
import Postgres
import Tenancy

/// Reads settings one by one and collects what is wrong with them.
struct SettingsReader {
    private let reader: ConfigReader
    private(set) var mistakes: [String] = []

    init(_ reader: ConfigReader) {
        self.reader = reader
    }

    /// `database.url` is `ATRIUM_DATABASE_URL` in the environment and `{"database": {"url": …}}` in the file.
    private func name(_ key: String) -> String {
        "ATRIUM_" + key.split(separator: ".").joined(separator: "_").uppercased()
    }

    mutating func mistake(_ key: String, _ what: String) {
        mistakes.append("\(name(key)) \(what)")
    }

    private func value(_ key: String) -> String? {
        reader.string(forKey: ConfigKey(key)).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// A misspelt name would be passed over in silence otherwise.
    mutating func refuseUnknown(_ environment: [String: String]) {
        for name in environment.keys.sorted() where name.hasPrefix("ATRIUM_") && !Self.known.contains(name) {
            if Self.tools.contains(where: name.hasPrefix) { continue }
            mistakes.append("\(name) is no setting of Atrium; correct its name or unset it")
        }
    }

    private static let known: Set<String> = Set(
        """
        HOST PORT PUBLIC_URL DATABASE_URL DATABASE_POOL_MAXIMUM DATABASE_REPLICAS DATABASE_CONNECTIONS \
        DATABASE_POOLER ADMIN_DATABASE_URL PROVISIONER_DATABASE_URL SERVERS KAFKA_BOOTSTRAP_SERVERS \
        KAFKA_TOPIC_PARTITIONS KAFKA_TOPIC_REPLICATION KAFKA_REQUESTS_IN_FLIGHT KAFKA_FETCH_WAIT OPERATOR_KEY SECRET \
        CONTEXTS ROLES SCHEMAS KAFKA KAFKA_SECURITY_PROTOCOL KAFKA_CA_LOCATION KAFKA_SASL_MECHANISM \
        KAFKA_SASL_USERNAME KAFKA_SASL_PASSWORD CANARY_INTERVAL OUTBOX_RETENTION LOG_LEVEL LOG_FORMAT URL \
        REPLICA_URL ENV PYTHON
        """.split(separator: " ").map { "ATRIUM_" + $0 })

    /// What `dev.env` and `atrium dev` use under the same prefix.
    private static let tools = {
        var prefixes = ["ATRIUM_DEV_", "ATRIUM_TENANT_", "ATRIUM_SERVER_", "ATRIUM_REGISTRY_"]
        // A program without failpoints refuses to start where some are armed: nothing would come of them.
        #if DEBUG
            prefixes.append("ATRIUM_FAILPOINT")
        #endif
        return prefixes
    }()

    func text(_ key: String, default fallback: String) -> String {
        value(key) ?? fallback
    }

    mutating func required(_ key: String, _ form: String) -> String? {
        if let value = value(key) { return value }
        mistake(key, "is missing; set it to \(form)")
        return nil
    }

    mutating func number(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text = value(key) ?? reader.int(forKey: ConfigKey(key)).map(String.init) else { return fallback }
        return checked(key, Int(text), in: range)
    }

    mutating func checked(_ key: String, _ number: Int?, in range: ClosedRange<Int>) -> Int {
        if let number, range.contains(number) { return number }
        mistake(key, "is not a whole number from \(range.lowerBound) to \(range.upperBound)")
        return range.lowerBound
    }

    /// What a broker that asks for encryption or a login needs.
    mutating func kafkaProperties() -> [String: String] {
        var properties: [String: String] = [:]
        for (key, property) in [
            ("kafka.security.protocol", "security.protocol"), ("kafka.ca.location", "ssl.ca.location"),
            ("kafka.sasl.mechanism", "sasl.mechanism"), ("kafka.sasl.username", "sasl.username"),
        ] {
            properties[property] = value(key)
        }
        properties["sasl.password"] = reader.string(forKey: "kafka.sasl.password", isSecret: true)
        if let named = properties["security.protocol"],
            !["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(named.lowercased())
        {
            mistake("kafka.security.protocol", "is “\(named)”; it takes plaintext, ssl, sasl_plaintext or sasl_ssl")
        }
        return properties
    }

    /// Never shows the value, whatever is wrong with it.
    mutating func secret(_ key: String, minimum: Int) -> String? {
        guard let value = reader.string(forKey: ConfigKey(key), isSecret: true), !value.isEmpty else {
            mistake(key, "is missing; set it to a random text of at least \(minimum) characters")
            return nil
        }
        guard value.utf8.count >= minimum else {
            mistake(key, "has \(value.utf8.count) characters; it needs at least \(minimum), taken at random")
            return nil
        }
        return value
    }

    mutating func names<Name: RawRepresentable<String> & CaseIterable & Hashable>(
        _ key: String, override: String?, default fallback: Set<Name>
    ) -> Set<Name> {
        guard let list = override ?? value(key) else { return fallback }
        var names: Set<Name> = []
        for part in list.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
            guard let name = Name(rawValue: part) else {
                let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
                mistake(key, "names “\(part)”; it takes a comma-separated list of \(known)")
                continue
            }
            names.insert(name)
        }
        if list.allSatisfy({ $0 == "," || $0 == " " }) { mistake(key, "names nothing to do") }
        return names
    }

    mutating func connection(_ key: String, _ url: String) -> ConnectionSettings? {
        do {
            return try ConnectionSettings(url)
        } catch {
            mistake(key, "is not a PostgreSQL URL such as postgresql://user:password@host:5432/database")
            return nil
        }
    }

    /// The same where the setting may be absent.
    mutating func connection(_ key: String) -> ConnectionSettings? {
        value(key).flatMap { connection(key, $0) }
    }

    /// Several, with spaces between them.
    mutating func connections(_ key: String) -> [ConnectionSettings] {
        (value(key) ?? "").split(separator: " ").compactMap { connection(key, String($0)) }
    }

    mutating func flag(_ key: String, default fallback: Bool) -> Bool {
        guard let text = value(key) ?? reader.bool(forKey: ConfigKey(key)).map({ $0 ? "true" : "false" }) else {
            return fallback
        }
        guard let flag = Bool(text) else {
            mistake(key, "is “\(text)”; it takes true or false")
            return fallback
        }
        return flag
    }

    /// Servers beside the first: `ATRIUM_SERVERS` names them, `ATRIUM_SERVER_<NAME>_URL` and so on tell where they are.
    mutating func furtherServers() -> [ServerSettings] {
        var servers: [ServerSettings] = []
        for name in (value("servers") ?? "").split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init) {
            guard name != ServerConfiguration.home, name.utf8.count <= 40,
                name.utf8.first.map({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }) == true,
                name.utf8.allSatisfy({ byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "-")
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                }), !servers.contains(where: { $0.name == name })
            else {
                mistake(
                    "servers", "names “\(name)”; a name is a-z, 0-9 and hyphens, not \(ServerConfiguration.home), once")
                continue
            }
            let key = "server.\(name.replacing("-", with: "."))"
            guard let url = required("\(key).url", "postgresql://atrium_app:…@host/postgres"),
                let primary = connection("\(key).url", url)
            else { continue }
            servers.append(
                ServerSettings(
                    name: name, primary: primary, replicas: connections("\(key).replicas"),
                    provisioner: connection("\(key).provisioner.url")))
        }
        return servers
    }

    /// The administrators of further servers, for those that have one here.
    mutating func furtherAdministrators() -> [String: ConnectionSettings] {
        var administrators: [String: ConnectionSettings] = [:]
        for name in (value("servers") ?? "").split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init) {
            administrators[name] = connection("server.\(name.replacing("-", with: ".")).admin.url")
        }
        return administrators
    }

    /// The folder `schemas`: as told, in the working folder, or above the executable.
    mutating func folder(_ key: String) -> URL? {
        func holdsSchemas(_ url: URL) -> Bool {
            FileManager.default.fileExists(atPath: url.appending(path: "sql/roles.sql").path)
        }
        if let told = value(key) {
            let url = URL(filePath: told)
            if holdsSchemas(url) { return url }
            mistake(key, "is \(told), which has no sql/roles.sql; point it to Atrium's schemas folder")
            return nil
        }
        var candidates = [URL(filePath: FileManager.default.currentDirectoryPath)]
        var above = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        while above.pathComponents.count > 1 {
            candidates.append(above)
            above.deleteLastPathComponent()
        }
        if let found = candidates.map({ $0.appending(path: "schemas") }).first(where: holdsSchemas) { return found }
        mistake(key, "is not set and there is no folder schemas here; point it to Atrium's schemas folder")
        return nil
    }

    mutating func log() -> LogConfiguration {
        var log = LogConfiguration()
        if let text = value("log.level") {
            if let level = Logger.Level(rawValue: text) {
                log.level = level
            } else {
                mistake("log.level", "is “\(text)”; it takes trace, debug, info, notice, warning, error or critical")
            }
        }
        if let text = value("log.format") {
            if let format = LogConfiguration.Format(rawValue: text) {
                log.format = format
            } else {
                mistake("log.format", "is “\(text)”; it takes json or text")
            }
        }
        return log
    }
}
