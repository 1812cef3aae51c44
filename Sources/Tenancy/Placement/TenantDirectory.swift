package import Kernel
package import Logging
package import Postgres
import ServiceLifecycle
import Synchronization

/// Which tenants there are and where each lives: the control plane's word, kept in memory and up to date.
///
/// A change is heard of by a notification, and within a heartbeat where that got lost. Where the control plane can't be
/// reached, what was known last goes on serving.
package final class TenantDirectory: TenantLocator, Service {
    private struct State {
        var residences: [TenantID: Residence] = [:]
        var databases: Set<DatabaseID> = []
        /// No change by an older transaction is still to come.
        var horizon = "0"
        var readAt: ContinuousClock.Instant?
        var readWholeAt: ContinuousClock.Instant?
        var isFollowed = false
        var isReading = false

        func isFresh(within limit: Duration) -> Bool {
            readAt.map { $0.duration(to: .now) <= limit } ?? false
        }

        mutating func add(_ residence: Residence) {
            residences[residence.tenantID] = residence
        }
    }

    /// For control-plane transactions alone, which need no locator.
    private let dataPlane: DataPlane
    private let state = Mutex(State())
    private let logger: Logger
    /// How old what is known may be where nobody follows the changes.
    private static let freshness = Duration.milliseconds(1500)
    private static let heartbeat = Duration.seconds(1)
    /// How often everything is read anew: what a SKU gives, and who is gone.
    private static let wholeReading = Duration.seconds(300)
    package static let channel = "atrium_directory"

    package init(fleet: DatabaseFleet, signer: ContextSigner, logger: Logger) {
        dataPlane = DataPlane(fleet: fleet, locator: Nobody(), signer: signer)
        self.logger = logger
    }

    // MARK: Asking

    package func known(_ tenant: TenantID) -> Residence? {
        state.withLock { state in
            guard state.isFollowed || state.isFresh(within: Self.freshness) || state.isReading else { return nil }
            // One that is being made may be open by now.
            return state.residences[tenant].flatMap { $0.state == .pending ? nil : $0 }
        }
    }

    package func residence(of tenant: TenantID) async throws -> Residence? {
        let mayRead = state.withLock { state in
            guard !state.isFollowed, !state.isReading, !state.isFresh(within: Self.freshness) else { return false }
            state.isReading = true
            return true
        }
        if mayRead {
            defer { state.withLock { $0.isReading = false } }
            try await refresh()
        }
        if let known = state.withLock({ $0.residences[tenant] }), known.state != .pending { return known }
        let found = try await read("WHERE t.tenant_id = \(tenant)").residences.first
        if let found { state.withLock { $0.add(found) } }
        return found
    }

    /// A tenant that is gone has left the decisions where it was to live.
    package func isGone(_ tenant: TenantID) async throws -> Bool {
        try await !dataPlane.control(reason: .routine("tell tenants that are gone from strangers"), logger: logger) {
            try await $0.rows(
                """
                SELECT true WHERE EXISTS (SELECT FROM control.routing_decisions WHERE tenant_id = \(tenant))
                    AND NOT EXISTS (SELECT FROM control.tenants WHERE tenant_id = \(tenant))
                """)
        }.isEmpty
    }

    /// Every database that holds tenants' data, the control plane's among them.
    package var databases: [DatabaseID] {
        get async throws {
            if state.withLock({ $0.readWholeAt == nil }) { try await refresh() }
            return state.withLock { $0.databases.sorted { "\($0)" < "\($1)" } }
        }
    }

    /// Every tenant, those that are being made included.
    package var tenants: [Residence] {
        get async throws {
            if state.withLock({ $0.readWholeAt == nil }) { try await refresh() }
            return state.withLock { $0.residences.values.sorted { $0.tenantID < $1.tenantID } }
        }
    }

    // MARK: Keeping up

    /// Takes in what has changed since the last time.
    package func refresh() async throws {
        let started = ContinuousClock.now
        let (horizon, isWhole) = state.withLock { state in
            let isWhole = state.readWholeAt.map { $0.duration(to: started) > Self.wholeReading } ?? true
            return (state.horizon, isWhole)
        }
        let found = try await read(
            isWhole
                ? ""
                : "WHERE t.changed_in >= \(horizon)::text::xid8 OR p.changed_in >= \(horizon)::text::xid8")
        var gone: Set<DatabaseID> = []
        state.withLock { state in
            if isWhole {
                state.residences = [:]
                state.readWholeAt = started
            }
            gone = state.databases.subtracting(found.databases)
            state.databases = found.databases
            for residence in found.residences { state.add(residence) }
            state.horizon = found.horizon
            state.readAt = started
        }
        // Nobody can drop what a pool is connected to.
        for database in gone { dataPlane.fleet.forget(database) }
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                let (wishes, wish) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
                group.addTask {
                    while !Task.isCancelled {
                        wish.yield()
                        try? await Task.sleep(for: Self.heartbeat)
                    }
                    wish.finish()
                }
                group.addTask { await self.listen { wish.yield() } }
                for await _ in wishes { await self.follow() }
                group.cancelAll()
            }
        }
    }

    private func follow() async {
        do {
            try await refresh()
            state.withLock { $0.isFollowed = true }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning(
                "the control plane can't be asked; tenants stay where they were known to be",
                metadata: ["error": "\(error)"])
        }
    }

    private func listen(_ heard: () -> Void) async {
        while !Task.isCancelled {
            do {
                // A connection of its own, which no pool waits for.
                let settings = try dataPlane.fleet.settings(of: dataPlane.fleet.control.server).primary
                let connection = try await PostgresConnection.connect(settings, logger: logger)
                defer { connection.close() }
                for try await _ in try await connection.notifications(on: Self.channel) { heard() }
            } catch {
                logger.debug("listening for changes of tenants again", metadata: ["error": "\(error)"])
            }
            try? await Task.sleep(for: Self.heartbeat)
        }
    }

    // MARK: Reading

    private struct Reading {
        var horizon: String
        var residences: [Residence]
        var databases: Set<DatabaseID>
    }

    private func read(_ condition: SQL) async throws -> Reading {
        let control = dataPlane.fleet.control
        return try await dataPlane.control(reason: .routine("find where tenants live"), logger: logger) { transaction in
            // Read first, so that a change which commits in between comes again with the next reading.
            let horizon = try await transaction.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")[0]
                .decode(String.self)
            let databases = try await transaction.rows("SELECT server, \(Self.databaseName) FROM control.databases d")
            let tenants = try await transaction.rows(
                """
                SELECT t.tenant_id, t.slug, t.state, t.is_canary, p.tier, p.server,
                    coalesce(\(Self.databaseName), p.database), s.durability, s.weight, s.connections
                FROM control.tenants t JOIN control.placements p USING (tenant_id)
                JOIN control.skus s ON s.code = t.sku
                LEFT JOIN control.databases d ON d.name = p.database
                \(condition)
                """)
            var known: Set<DatabaseID> = [control]
            for row in databases {
                let (server, name) = try row.decode((String, String).self)
                known.insert(DatabaseID(server: server, name: name))
            }
            return Reading(horizon: horizon, residences: try tenants.map(Self.residence), databases: known)
        }
    }

    /// The control plane's own database may have been renamed, or copied, since it was written down.
    package static let databaseName: SQL =
        "CASE d.name WHEN 'home' THEN current_database()::text ELSE d.database_name END"

    private static func residence(_ row: Row) throws -> Residence {
        let (id, slug, state, canary, tier, server, database, durability, weight, connections) = try row.decode(
            (TenantID, String, String, Bool, String, String, String, String, Int32, Int32).self)
        guard let state = Residence.State(rawValue: state), let tier = Tier(rawValue: tier),
            let durability = Durability(rawValue: durability)
        else { throw UnreadableDirectory(slug: slug) }
        return Residence(
            tenantID: id, slug: slug, state: state, isCanary: canary,
            placement: Placement(tier: tier, database: DatabaseID(server: server, name: database), of: id),
            durability: durability, weight: Int(weight), connections: Int(connections))
    }
}

extension TenantDirectory {
    /// The control plane holds what this version of the program can't have written.
    struct UnreadableDirectory: Error, CustomStringConvertible {
        let slug: String

        var description: String {
            "tenant \(slug) has a state, tier or durability unknown here; was it written by a newer version?"
        }
    }

    private struct Nobody: TenantLocator {
        func known(_ tenant: TenantID) -> Residence? { nil }
        func residence(of tenant: TenantID) async throws -> Residence? { nil }
    }
}
