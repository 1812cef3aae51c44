/// Why a database could not be brought to the shape that this version needs; each says what mends it.
package enum MigrationError: Error, Hashable, CustomStringConvertible {
    case unreadable(String)
    case badName(String)
    case badScope(String)
    case duplicateNumber(String)
    case changed(String)
    case unknown(String)
    case failed(String, because: String)
    case serverTooOld(String)
    case earlierLayout
    case needsSuperuser(String)
    case mayNotOwn(String)
    case baseDiffers(String)
    /// Nothing was tried, since what it builds on has failed.
    case waits(for: String)
    /// Somebody else held a table through every try.
    case blocked(String, tries: Int)

    package var description: String {
        switch self {
        case .unreadable(let path):
            "can't read \(path); run from the project's folder or set ATRIUM_SCHEMAS to its schemas folder"
        case .badName(let file): "\(file) is not named NNNN_<what>.sql with a number from 0001"
        case .badScope(let name):
            "the folder \(name) has two underscores in a row, which part a context from a tenant; rename it"
        case .duplicateNumber(let file): "\(file) has a number that another file of its context has; renumber one"
        case .changed(let file):
            "\(file) was changed after it was applied; put it back as it was and add a new file instead"
        case .unknown(let file): "the database has \(file), which this version of Atrium does not; run a newer one"
        case .failed(let file, let reason): "\(file) failed and changed nothing: \(reason)"
        case .serverTooOld(let version): "PostgreSQL \(version) is too old; Atrium needs 15 or newer"
        case .earlierLayout:
            """
            the database was made before tenants had contexts that are signed, and can't be brought to this version; \
            make a new one (`atrium dev --reset` where it is the one for development)
            """
        case .needsSuperuser(let what):
            "the administrator's login may not \(what); have a superuser run `atrium migrate` once, or do just that"
        case .mayNotOwn(let user):
            "\(user) may not act as atrium_owner; have a superuser run: GRANT atrium_owner TO \(user)"
        case .waits(let schema): "nothing was tried, because \(schema) failed; mend that and run `atrium migrate` again"
        case .blocked(let file, let tries):
            """
            \(file) changed nothing: others held the table through \(tries) tries; end the long transactions, or let it \
            wait longer with --lock-timeout, and run `atrium migrate` again
            """
        case .baseDiffers(let schema):
            """
            the schema \(schema) is not at the files of this version, so no tenant's schema can be made beside it; run \
            `atrium migrate`, or use the version that it was migrated with
            """
        }
    }
}
