import Postgres

/// How much a migration does at once, and how long it waits.
package struct MigrationOptions: Sendable {
    /// How many databases at a time.
    package var databases = 4
    /// How many schemas of one database at a time, each on a connection of its own.
    package var schemas = 4
    /// How long a statement waits for a lock: as long as it does, everybody who comes after it waits as well.
    package var lockTimeout: Duration = .seconds(5)
    /// How long a file may take; nothing sets no limit.
    package var statementTimeout: Duration?
    /// How often a file is tried that others keep from its locks.
    package var tries = 6
    /// The wait after the first try; it doubles.
    package var pause: Duration = .milliseconds(250)

    package init() {}

    /// Settings of a transaction or a session.
    func timeouts(_ scope: String) -> [SQL] {
        var settings: [SQL] = ["SET \(unsafeSQL: scope) lock_timeout = \(unsafeSQL: String(lockTimeout.milliseconds))"]
        if let statementTimeout {
            settings.append(
                "SET \(unsafeSQL: scope) statement_timeout = \(unsafeSQL: String(statementTimeout.milliseconds))")
        }
        return settings
    }
}

extension Duration {
    /// Rounded up, so that a short wait does not become none at all, which PostgreSQL takes for no limit.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
