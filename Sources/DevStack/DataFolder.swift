import Foundation

/// Finds or makes the folder in which the servers keep their data, where the user they run as can get at it.
enum DataFolder {
    /// Where data goes when the asked folder lies below one the server's user cannot pass, such as /root.
    static let refuge = "/var/lib/atrium-dev"

    /// The real path of the folder for `wanted`: itself, or a folder in the refuge that `wanted` then links to.
    static func prepare(_ wanted: String, for user: SystemUser?, refuge: String = refuge) async throws -> String {
        guard let user else {
            try makeFolder(wanted, mode: 0o700)
            return try realPath(wanted)
        }
        let ownRefuge = "\(refuge)/\(stableName(wanted))"
        if let target = linkTarget(wanted) {
            guard target == ownRefuge else {
                throw DevStackError(
                    .folderUnusable, "\(wanted) is a link to \(target), which Atrium did not make. Remove the link.")
            }
            try makeFolder(target, mode: 0o700, owner: user)
            return target
        }
        let isNew = access(wanted, F_OK) != 0
        try makeFolder(wanted, mode: 0o700, owner: user)
        if try await canEnter(wanted, user) { return try realPath(wanted) }
        guard isNew || isEmpty(wanted) else {
            throw DevStackError(
                .folderUnreachable,
                """
                PostgreSQL runs as \(user.name) here, who can no longer reach \(wanted): a folder above it is closed to \
                others. Open it (chmod o+x), or start over with `atrium dev --reset`.
                """)
        }
        guard rmdir(wanted) == 0 else { throw folderError("replace", wanted) }
        // Without the link, what lies in the refuge is of a checkout that was removed.
        try removeTree(ownRefuge)
        try makeFolder(refuge, mode: 0o755)
        try makeFolder(ownRefuge, mode: 0o700, owner: user)
        guard symlink(ownRefuge, wanted) == 0 else { throw folderError("link", wanted) }
        return ownRefuge
    }

    /// Where the data of `wanted` lies now; nil where there is none.
    static func existing(_ wanted: String) -> String? {
        if let target = linkTarget(wanted) { return target }
        return access(wanted, F_OK) == 0 ? wanted : nil
    }

    static func checkSpace(_ path: String, minimum: UInt64) throws {
        var info = statvfs()
        guard statvfs(path, &info) == 0 else { throw folderError("look at the disk of", path) }
        let free = UInt64(info.f_bavail) * UInt64(info.f_frsize)
        guard free >= minimum else {
            throw DevStackError(
                .diskFull,
                """
                The disk of \(path) has \(free >> 20) MB left, and at least \(minimum >> 20) MB are needed. Free space \
                and start again.
                """)
        }
    }

    private static func canEnter(_ path: String, _ user: SystemUser) async throws -> Bool {
        guard let test = Program.find("test") else {
            throw DevStackError(.programMissing, "The program test is missing. Install it: apt-get install coreutils")
        }
        let check = Program(test, ["-w", path, "-a", "-x", path], workingDirectory: "/", as: user)
        return try await ChildProcess.run(check).status.isSuccess
    }

    private static func isEmpty(_ path: String) -> Bool {
        (try? FileManager.default.contentsOfDirectory(atPath: path))?.isEmpty ?? false
    }

    private static func linkTarget(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    private static func realPath(_ path: String) throws -> String {
        guard let real = realpath(path, nil) else { throw folderError("find", path) }
        defer { free(real) }
        return String(cString: real)
    }

    /// The same name for the same path in every run (FNV-1a).
    private static func stableName(_ path: String) -> String {
        let hash = path.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
