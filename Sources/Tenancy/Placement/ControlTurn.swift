import Kernel
package import Logging
import Postgres

/// One holder at a time of a name, in all processes; whoever dies gives it up.
package struct ControlTurn: Sendable {
    private let fleet: DatabaseFleet
    private let logger: Logger
    private static let patience = Duration.seconds(15)

    package init(_ fleet: DatabaseFleet, logger: Logger) {
        self.fleet = fleet
        self.logger = logger
    }

    /// Waits for its turn, then runs the body. The lock lies in a transaction on a connection of its own, outside the
    /// pools: the body needs theirs.
    package func with<Result>(_ name: String, _ body: () async throws -> Result) async throws -> Result {
        let until = ContinuousClock.now + Self.patience
        let connection: PostgresConnection
        do {
            connection = try await PostgresConnection.connect(
                fleet.settings(of: fleet.control.server).primary, logger: logger, deadline: until)
            _ = try await connection.flight(
                [.begin, Statement("SELECT pg_advisory_xact_lock(hashtextextended(\(name), 0))")], deadline: until)
        } catch let error as PostgresError {
            throw DataPlaneUnavailable(cause: error)
        }
        defer { connection.close() }
        return try await body()
    }
}
