import Foundation

/// The folder of one PostgreSQL server: its data, and beside the data what Atrium writes for it.
struct ClusterFolder: Sendable {
    let path: String

    var data: String { "\(path)/data" }
    var log: String { "\(path)/server.log" }
    var settings: String { "\(path)/postgresql.conf" }
    var rules: String { "\(path)/pg_hba.conf" }
    private var marker: String { "\(path)/complete" }
    private var portFile: String { "\(path)/port" }

    /// Nil where the path would not fit into the 107 bytes the kernel has for a socket's address.
    var sockets: String? {
        let folder = "\(path)/sockets"
        return "\(folder)/.s.PGSQL.65535".utf8.count <= 107 ? folder : nil
    }

    var exists: Bool { access(path, F_OK) == 0 }

    /// The version that made the data; nil where there is none, or where its making was cut short.
    var completeVersion: Int? {
        readFile(marker).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// Written when all else is on the disk, so that its presence proves the rest.
    func markComplete(version: Int, owner: SystemUser?) throws {
        try writeFile("\(version)\n", to: marker, mode: 0o600, owner: owner)
    }

    var lastPort: Int? {
        readFile(portFile).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    func remember(port: Int, owner: SystemUser?) throws {
        try writeFile("\(port)\n", to: portFile, mode: 0o600, owner: owner)
    }

    /// Keeps one older log, so that neither grows without end.
    func turnLog() {
        var info = stat()
        if stat(log, &info) == 0, info.st_size > 10_000_000 { rename(log, "\(log).old") }
    }
}
