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
    let secrets: DevSecrets
    let logger: Logger

    var login: PostgresAddress {
        cluster.primary.address.database(Self.name).user("atrium_app", password: secrets.databasePassword)
    }

    var provisioner: PostgresAddress {
        cluster.primary.address.database(Self.name).user("atrium_provisioner", password: secrets.provisionerPassword)
    }

    func server() throws -> ServerSettings {
        let replica = cluster.replica?.address.database(Self.name)
            .user("atrium_app", password: secrets.databasePassword)
        return ServerSettings(
            name: ServerConfiguration.home, primary: try ConnectionSettings(login.url),
            replicas: try replica.map { [try ConnectionSettings($0.url)] } ?? [],
            provisioner: try ConnectionSettings(provisioner.url))
    }

    private func administrator(_ database: String) throws -> ConnectionSettings {
        try ConnectionSettings(cluster.primary.address.database(database).url)
    }

    func prepare(_ files: MigrationFiles) async throws {
        let exists = try await run(
            "SELECT 1 FROM pg_database WHERE datname = \(Self.name)", in: "postgres")
        if exists.isEmpty { _ = try await run("CREATE DATABASE \(identifier: Self.name)", in: "postgres") }
        let key = ContextKey(secret: Array(secrets.secret.utf8))
        let administrator = try administrator(Self.name)
        let migrator = FleetMigrator(files, contextKey: key, logger: logger)
        var report = await migrator.run([.init(name: Self.name, administrator: administrator, isControl: true)])
        guard report.isSuccess else { throw DatabaseOutdated(report: report.text) }
        let silos = try await run(
            "SELECT database_name FROM control.databases WHERE silo_of IS NOT NULL", in: Self.name)
        report = await migrator.run(
            try silos.map { row in
                let name = try row.decode(String.self)
                return .init(name: name, administrator: try self.administrator(name), isControl: false, isSilo: true)
            })
        guard report.isSuccess else { throw DatabaseOutdated(report: report.text) }
        try await SiloTemplate(files, contextKey: key, logger: logger).ensure(administrator: administrator)
        // The passwords are made of letters and digits by DevSecrets.
        for (role, password) in [
            ("atrium_app", secrets.databasePassword), ("atrium_provisioner", secrets.provisionerPassword),
        ] {
            _ = try await run("ALTER ROLE \(identifier: role) PASSWORD '\(unsafeSQL: password)'", in: Self.name)
        }
    }

    /// The embedded broker comes up empty, which is no loss here: every context begins with its topics anew.
    func forgetOffsets(_ modules: Modules) async throws {
        for module in modules.loaded where !module.subscriptions.isEmpty {
            let schema = module.context.schema
            _ = try await run("DELETE FROM \(identifier: schema).consumed", in: Self.name)
            _ = try await run("DELETE FROM \(identifier: schema).stream_gaps WHERE taken_at IS NULL", in: Self.name)
        }
    }

    /// The embedded broker comes up empty: has each outbox be published again from the first event on that a reaction
    /// neither took in nor gave up on. Answers how many outboxes are.
    func rewindOutboxes(_ modules: Modules) async throws -> Int {
        var rewound = 0
        let databases = try await run("SELECT database_name FROM control.databases ORDER BY name", in: Self.name)
        for database in try databases.map({ try $0.decode(String.self) }) {
            for publisher in modules.loaded where publisher.backbone.schema != "control" || database == Self.name {
                rewound += try await rewind(publisher, for: modules, in: database) ? 1 : 0
            }
        }
        return rewound
    }

    private func rewind(_ publisher: LoadedModule, for modules: Modules, in database: String) async throws -> Bool {
        let schema = publisher.backbone.schema
        // A lease that a killed process left would keep the relay waiting. A tenant that had a lane goes with the others
        // again, from where it had come to.
        _ = try await run(
            """
            UPDATE \(identifier: schema).outbox_cursor c
            SET owner = NULL, lease_until = '-infinity', lanes = '[]', transaction_id = f.transaction_id,
                position = f.position
            FROM (
                SELECT DISTINCT ON (shard) shard, transaction_id, position FROM (
                    SELECT shard, transaction_id, position FROM \(identifier: schema).outbox_cursor
                    UNION ALL
                    SELECT k.shard, l.transaction::xid8, l.position FROM \(identifier: schema).outbox_cursor k
                    CROSS JOIN jsonb_to_recordset(k.lanes) AS l (transaction text, position bigint)) AS places
                ORDER BY shard, transaction_id, position) AS f
            WHERE f.shard = c.shard
            """, in: database)
        if schema == "control" {
            // What others took in of these lies in the databases of many tenants, and they are few.
            return try await !run(
                """
                UPDATE control.outbox_cursor
                SET transaction_id = '0', position = 0, lanes = '[]', published_before = '-infinity'
                WHERE transaction_id > '0' RETURNING true
                """, in: database
            ).isEmpty
        }
        let types = Set(publisher.published.map { $0.type })
        var isRewound = false
        for reader in modules.loaded {
            for subscription in reader.subscriptions where !types.isDisjoint(with: subscription.types) {
                let rows = try await run(
                    """
                    WITH missing AS (
                        SELECT DISTINCT ON (o.shard) o.shard, o.transaction_id, o.position FROM \(identifier: schema).outbox o
                        WHERE (o.type = \(subscription.eventType)
                            OR o.fact_id IS NULL AND o.type = ANY (\(subscription.types)))
                        AND NOT EXISTS (
                            SELECT FROM \(identifier: reader.backbone.schema).inbox i
                            WHERE i.tenant_id = o.tenant_id AND i.event_id = coalesce(o.fact_id, o.event_id)
                                AND i.reaction = \(subscription.reaction))
                        AND NOT EXISTS (
                            SELECT FROM \(identifier: reader.backbone.schema).dead_letters d
                            WHERE d.event_id = o.event_id::text
                                AND coalesce(d.reaction, \(subscription.reaction)) = \(subscription.reaction))
                        AND NOT EXISTS (
                            SELECT FROM \(identifier: schema).dead_letters d
                            WHERE d.event_id = o.event_id::text AND d.direction = 'outgoing')
                        ORDER BY o.shard, o.transaction_id, o.position)
                    UPDATE \(identifier: schema).outbox_cursor c
                    SET transaction_id = m.transaction_id, position = m.position - 1, published_before = '-infinity'
                    FROM missing m
                    WHERE m.shard = c.shard AND (m.transaction_id, m.position) <= (c.transaction_id, c.position)
                    RETURNING true
                    """, in: database)
                isRewound = isRewound || !rows.isEmpty
            }
        }
        return isRewound
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

/// The state that an earlier version left can't be taken over.
struct DatabaseOutdated: Error, CustomStringConvertible {
    let report: String

    var description: String {
        "the development database can't be brought up to date; start over with: make run ARGS=--reset\n\(report)"
    }
}
