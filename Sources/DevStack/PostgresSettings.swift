/// The settings of one server, written anew at each start.
struct PostgresSettings: Sendable {
    /// Off for tests alone: a crash of the machine may then spoil the data.
    var durable: Bool
    var maximumConnections: Int
    var extra: [String: String]
    /// How a replica reaches its primary.
    var primary: (connection: String, slot: String)?

    func write(to folder: ClusterFolder, address: PostgresAddress, owner: SystemUser?) throws {
        var values = [
            "hba_file": folder.rules,
            "listen_addresses": address.host,
            "port": String(address.port),
            "unix_socket_directories": folder.sockets ?? "",
            "unix_socket_permissions": "0700",
            "max_connections": String(maximumConnections),
            "password_encryption": "scram-sha-256",
            "wal_level": "replica",
            "hot_standby": "on",
            "hot_standby_feedback": "on",
            // A replica that stays away must not fill the disk; it is copied anew when it has fallen behind.
            "max_slot_wal_keep_size": "1GB",
            "max_wal_size": "512MB",
            "logging_collector": "off",
            "log_destination": "stderr",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "log_timezone": "UTC",
            "timezone": "UTC",
            "lc_messages": "C",
        ]
        if !durable {
            for name in ["fsync", "synchronous_commit", "full_page_writes"] { values[name] = "off" }
        }
        if let primary {
            values["primary_conninfo"] = primary.connection
            values["primary_slot_name"] = primary.slot
        }
        values.merge(extra) { _, chosen in chosen }
        let lines = values.sorted { $0.key < $1.key }.map { "\($0.key) = '\(quoted($0.value))'" }
        let head = "# Written by atrium at every start: changes made here are lost.\n"
        try writeFile(head + lines.joined(separator: "\n") + "\n", to: folder.settings, mode: 0o600, owner: owner)
        let rules = """
            local all all scram-sha-256
            local replication postgres scram-sha-256
            host all all 127.0.0.1/32 scram-sha-256
            host replication postgres 127.0.0.1/32 scram-sha-256
            """
        try writeFile(head + rules + "\n", to: folder.rules, mode: 0o600, owner: owner)
    }

    private func quoted(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("'", with: "''")
    }
}
