import DevStack

/// Awaiting what other programs bring about.
package enum Waiting {
    /// Returns when `condition` holds, and throws what did not come true when it takes too long.
    ///
    /// A row in a database or a port of another process has no event to wait for, so this looks again after a short
    /// while. For what this process does itself, await it directly.
    package static func until(
        _ what: String, within limit: Duration = .seconds(15), every pause: Duration = .milliseconds(5),
        _ condition: () async throws -> Bool
    ) async throws {
        let clock = ContinuousClock()
        let end = clock.now + limit
        while try await !condition() {
            guard clock.now < end else {
                throw DevStackError(.tooLate, "After \(limit), this still had not come true: \(what)")
            }
            try await clock.sleep(for: pause)
        }
    }

    /// The first value that is not nil.
    package static func value<Value>(
        _ what: String, within limit: Duration = .seconds(15), every pause: Duration = .milliseconds(5),
        _ find: () async throws -> Value?
    ) async throws -> Value {
        var found: Value?
        try await until(what, within: limit, every: pause) {
            found = try await find()
            return found != nil
        }
        guard let found else { throw DevStackError(.tooLate, "Not found: \(what)") }
        return found
    }
}
