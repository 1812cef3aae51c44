package import Logging
package import Postgres
import ServiceLifecycle
import Tenancy

/// Word between processes that an outbox has something new, over PostgreSQL's notifications.
///
/// A notice is sent after the commit and by itself, many commits at once: inside the transaction it would make all
/// commits of the database wait for one another. A notice that is lost costs a heartbeat of the relay.
package struct OutboxNotices: Sendable {
    private static let channel = "atrium_outbox"
    private static let vacancy = "vacancy"

    private let pool: PostgresPool
    private let logger: Logger

    /// - Parameter pool: of the control plane's database, where all processes meet.
    package init(pool: PostgresPool, logger: Logger) {
        self.pool = pool
        self.logger = logger
    }

    /// - Parameter reason: of which `vacancy` alone is told.
    func send(_ schema: String, in database: DatabaseID, because reason: RelaySignal.Reason = []) async {
        let notice =
            "\(schema) \(database.server) \(database.name)" + (reason.contains(.vacancy) ? " \(Self.vacancy)" : "")
        do {
            _ = try await pool.withConnection { connection in
                try await connection.flight(
                    [Statement("SELECT pg_notify(\(Self.channel), \(notice))")], deadline: .now + .seconds(2))
            }
        } catch {
            logger.debug("relays of other processes find out at their heartbeat", metadata: ["error": "\(error)"])
        }
    }

    /// Every outbox that a notice names, until the task is cancelled; after a lost connection it listens again.
    fileprivate func receive(_ take: @Sendable (_ schema: String, DatabaseID, RelaySignal.Reason) -> Void) async {
        var backoff = Backoff()
        while !Task.isCancelled {
            do {
                // Listening keeps a connection for good: one of its own, which no pool waits for.
                let connection = try await PostgresConnection.connect(pool.settings, logger: logger)
                defer { connection.close() }
                let notices = try await connection.notifications(on: Self.channel)
                backoff = Backoff()
                for try await notice in notices {
                    let parts = notice.split(separator: " ").map(String.init)
                    guard parts.count >= 3 else { continue }
                    take(
                        parts[0], DatabaseID(server: parts[1], name: parts[2]),
                        parts.dropFirst(3).contains(Self.vacancy) ? .vacancy : [])
                }
            } catch {
                logger.debug("listening for notices again", metadata: ["error": "\(error)"])
            }
            try? await backoff.wait()
        }
    }
}

/// Wakes this process's relays when another process has committed.
package struct OutboxListener: Service {
    private let notices: OutboxNotices
    private let signals: [String: RelaySignal]

    package init(_ notices: OutboxNotices, signals: [String: RelaySignal]) {
        self.notices = notices
        self.signals = signals
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await notices.receive { signals[$0]?.nudge($1, because: $2) }
        }
    }
}

/// Passes a context's commits on where this process has no relay for them.
package struct OutboxAnnouncer: Service {
    private let notices: OutboxNotices
    private let schema: String
    private let signal: RelaySignal

    package init(_ notices: OutboxNotices, schema: String, signal: RelaySignal) {
        self.notices = notices
        self.schema = schema
        self.signal = signal
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in signal.nudges {
                for database in signal.takeNudged().keys { await notices.send(schema, in: database) }
            }
        }
    }
}
