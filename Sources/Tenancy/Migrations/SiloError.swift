package import Postgres

/// Why a silo's database could not be made or dropped; each says what mends it.
package enum SiloError: Error, CustomStringConvertible {
    case templateMissing(String, server: String)
    /// Made with other files, or with another secret.
    case templateOutdated(String, server: String)
    /// Somebody stayed connected to the template through every try.
    case templateInUse(String, server: String)
    case diskFull(server: String)
    /// Somebody stayed connected to the database through every try.
    case databaseInUse(String, server: String)
    case mayNotCreate(user: String, server: String)
    case unreachable(server: String, PostgresError)

    package var description: String {
        switch self {
        case .templateMissing(let template, let server):
            "the server \(server) has no database \(template) to copy; run `atrium migrate`"
        case .templateOutdated(let template, let server):
            """
            \(template) on \(server) was made by another version or with another secret; run `atrium migrate` \
            with this one
            """
        case .templateInUse(let template, let server):
            "\(template) on \(server) is in use, so it can't be copied; end the sessions in it and try again"
        case .diskFull(let server):
            "the disk of the server \(server) is full; make room there and try again, nothing was left behind"
        case .databaseInUse(let database, let server):
            "\(database) on \(server) is in use, so it can't be dropped; end the sessions in it and try again"
        case .mayNotCreate(let user, let server):
            "\(user) may not make databases on \(server); have a superuser run: ALTER ROLE \(user) CREATEDB"
        case .unreachable(let server, let cause): "the server \(server) can't be reached: \(cause)"
        }
    }

    /// Whether the same may succeed later without anybody mending anything.
    package var isRetriable: Bool {
        switch self {
        case .templateInUse, .databaseInUse, .unreachable: true
        case .templateMissing, .templateOutdated, .diskFull, .mayNotCreate: false
        }
    }
}
