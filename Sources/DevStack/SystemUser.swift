import Foundation

/// A user of the operating system, whom a program can be run as.
package struct SystemUser: Hashable, Sendable {
    package let name: String
    package let userID: UInt32
    package let groupID: UInt32

    package init?(named name: String) {
        guard let entry = getpwnam(name) else { return nil }
        self.name = name
        userID = entry.pointee.pw_uid
        groupID = entry.pointee.pw_gid
    }

    package static var isRoot: Bool { geteuid() == 0 }

    /// Whom the database server runs as: nil is whoever started Atrium, for PostgreSQL refuses to run as root.
    static func forDatabase() throws -> SystemUser? {
        guard isRoot else { return nil }
        guard let user = SystemUser(named: "postgres") else {
            throw DevStackError(
                .programMissing,
                """
                PostgreSQL refuses to run as root, and this machine has no user named postgres to run it as. \
                Install Debian's package (apt-get install postgresql-15), or start Atrium as an ordinary user.
                """)
        }
        return user
    }
}
