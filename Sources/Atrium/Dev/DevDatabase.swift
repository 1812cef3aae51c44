import DevStack
import Foundation
import Kernel
import Logging
import Messaging
import Postgres
import Tenancy

/// The database `atrium` in the embedded cluster.
struct DevDatabase: Sendable {
    static let name = "atrium"

    let cluster: EmbeddedPostgres
    let password: String
    let logger: Logger

    var login: PostgresAddress { cluster.primary.address.database(Self.name).user("atrium_app", password: password) }

    func loginSettings() throws -> ConnectionSettings { try ConnectionSettings(login.url) }

    private func administrator(_ database: String) throws -> ConnectionSettings {
        try ConnectionSettings(cluster.primary.address.database(database).url)
    }

    func prepare(_ files: MigrationFiles) async throws {
        let exists = try await run(
            "SELECT 1 FROM pg_database WHERE datname = \(Self.name)", in: "postgres")
        if exists.isEmpty { _ = try await run("CREATE DATABASE \(identifier: Self.name)", in: "postgres") }
        try await Migrator(files, administrator: administrator(Self.name), logger: logger).run()
        // The password is made of letters and digits by DevSecrets.
        _ = try await run("ALTER ROLE atrium_app PASSWORD '\(unsafeSQL: password)'", in: Self.name)
    }

    /// The embedded broker comes up empty: has each relay begin again at the first event that a reaction neither took
    /// in nor gave up on. Answers how many contexts publish again.
    func rewindOutboxes(_ modules: Modules) async throws -> Int {
        var rewound = 0
        for publisher in modules.loaded {
            // A lease that a killed process left would keep the relay waiting.
            _ = try await run(
                """
                UPDATE \(identifier: publisher.context.schema).outbox_cursor
                SET owner = NULL, lease_until = '-infinity'
                """, in: Self.name)
            let types = Set(publisher.published.map { $0.type })
            var isRewound = false
            for reader in modules.loaded {
                for subscription in reader.subscriptions where types.contains(subscription.eventType) {
                    let rows = try await run(
                        """
                        WITH missing AS (
                            SELECT o.transaction_id, o.position FROM \(identifier: publisher.context.schema).outbox o
                            WHERE o.type = \(subscription.eventType) AND NOT EXISTS (
                                SELECT FROM \(identifier: reader.context.schema).inbox i
                                WHERE i.tenant_id = o.tenant_id AND i.event_id = o.event_id
                                    AND i.reaction = \(subscription.reaction))
                            AND NOT EXISTS (
                                SELECT FROM \(identifier: reader.context.schema).dead_letters d
                                WHERE d.event_id = o.event_id::text
                                    AND coalesce(d.reaction, \(subscription.reaction)) = \(subscription.reaction))
                            AND NOT EXISTS (
                                SELECT FROM \(identifier: publisher.context.schema).dead_letters d
                                WHERE d.event_id = o.event_id::text AND d.direction = 'outgoing')
                            ORDER BY o.transaction_id, o.position LIMIT 1)
                        UPDATE \(identifier: publisher.context.schema).outbox_cursor c
                        SET transaction_id = m.transaction_id, position = m.position - 1
                        FROM missing m WHERE (m.transaction_id, m.position) <= (c.transaction_id, c.position)
                        RETURNING true
                        """, in: Self.name)
                    isRewound = isRewound || !rows.isEmpty
                }
            }
            rewound += isRewound ? 1 : 0
        }
        return rewound
    }

    private func run(_ sql: SQL, in database: String) async throws -> Rows {
        let connection = try await PostgresConnection.connect(try administrator(database), logger: logger)
        do {
            let rows = try await connection.flight([Statement(sql, prepare: false)], deadline: nil)[0]
            connection.close()
            return rows
        } catch {
            connection.close()
            throw error
        }
    }
}

extension DataPlane {
    /// For looking at what modules declare, before there is anything to connect to.
    static func unconnected(_ settings: ConnectionSettings) -> DataPlane {
        DataPlane(
            pool: PostgresPool(settings, PoolConfiguration(name: "unconnected"), logger: Logger(label: "atrium")))
    }
}
