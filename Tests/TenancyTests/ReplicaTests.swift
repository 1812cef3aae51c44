import DevStack
import Foundation
import Kernel
import Logging
import Postgres
import TestSupport
import Testing

@testable import Tenancy

/// A cluster with a replica, and a data plane that knows of both.
private struct ReplicatedWorld: Sendable {
    let cluster: EmbeddedPostgres
    let fleet: DatabaseFleet
    let dataPlane: DataPlane
    let watch: ReplicaWatch
    let tenant = TenantContext.test()

    static let orders = ContextRole.app("orders")

    static func with(_ body: @Sendable (ReplicatedWorld) async throws -> Void) async throws {
        try await PostgresServer.withDedicated(replica: true) { cluster in
            let database = cluster.primary.address.database("atrium")
            _ = try await cluster.primary.execute("CREATE DATABASE atrium")
            try await DatabaseTemplate.migrate(database)
            guard let replica = cluster.replica else { return }
            func login(_ address: PostgresAddress) throws -> ConnectionSettings {
                try ConnectionSettings(address.database("atrium").user("atrium_app", password: "atrium").url)
            }
            let fleet = DatabaseFleet(
                servers: [
                    ServerSettings(
                        name: "home", primary: try login(cluster.primary.address),
                        replicas: [try login(replica.address)])
                ], logger: .silent)
            let homes = TestHomes(tier: .pool, fleet: fleet, files: try TestDataPlane.files())
            let world = ReplicatedWorld(
                cluster: cluster, fleet: fleet,
                dataPlane: DataPlane(
                    fleet: fleet, locator: homes, signer: ContextSigner(TestDataPlane.contextKey)),
                watch: ReplicaWatch(fleet, interval: .milliseconds(20), logger: .silent))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await fleet.run() }
                group.addTask { try await world.watch.run() }
                defer { group.cancelAll() }
                try await body(world)
            }
        }
    }

    func reading(_ need: ReadNeed) -> TenantContext {
        TenantContext(
            tenantID: tenant.tenantID, actor: .operator, correlation: .new(), need: need, logger: .silent)
    }

    /// Writes an order; answers the token for it.
    func write() async throws -> ConsistencyToken {
        let context = TenantContext(
            tenantID: tenant.tenantID, actor: .operator, correlation: .new(), logger: .silent)
        let id: Identifier<Void> = IdentifierSource.system.next()
        try await dataPlane.write(context, as: Self.orders) {
            $0.enqueue(
                """
                INSERT INTO orders.orders (tenant_id, id, customer_id, currency, state, total_minor, created_at, \
                updated_at, version)
                VALUES (\(tenant.tenantID), \(id), \(id), 'EUR', 'draft', 1, now(), now(), 1)
                """)
        }
        return try #require(context.progress.token)
    }

    func look(_ need: ReadNeed) async throws -> (orders: Int, onReplica: Bool) {
        let (count, replica) = try await dataPlane.query(
            reading(need), as: Self.orders, "SELECT count(*), pg_is_in_recovery() FROM orders.orders"
        )[0].decode((Int64, Bool).self)
        return (Int(count), replica)
    }

    var replica: Replica { fleet.replicated[0].replicas[0] }

    func untilReplicaServes(_ need: ReadNeed = .any) async throws {
        try await Waiting.until("the replica serves") { try await look(need).onReplica }
    }
}

@Suite("With a replica, a read")
struct ReplicaTests {
    @Test("that takes any state goes to the replica, one that brings a token is never stale")
    func tokens() async throws {
        try await ReplicatedWorld.with { world in
            let first = try await world.write()
            try await world.untilReplicaServes(.atLeast(first))
            #expect(try await world.look(.latest) == (1, false))

            // The replica goes on serving, and stays where it is.
            _ = try await world.cluster.replica?.execute("SELECT pg_wal_replay_pause()")
            let second = try await world.write()
            #expect(second.position > first.position)
            #expect(try await world.look(.atLeast(second)) == (2, false))
            #expect(try await world.look(.any) == (1, true))
            #expect(try await world.look(.atLeast(first)) == (1, true))

            // A replica that is thought to be further than it is refuses by itself.
            for _ in 0..<20 {
                _ = world.replica.become(.following(position: .max, lag: .zero))
                #expect(try await world.look(.atLeast(second)) == (2, false))
                let rows = try await world.dataPlane.read(
                    world.reading(.atLeast(second)), as: ReplicatedWorld.orders
                ) { try await $0.rows("SELECT count(*) FROM orders.orders") }
                #expect(try rows[0].decode(Int64.self) == 2)
            }

            _ = try await world.cluster.replica?.execute("SELECT pg_wal_replay_resume()")
            try await world.untilReplicaServes(.atLeast(second))
            #expect(try await world.look(.atLeast(second)) == (2, true))
        }
    }

    @Test("passes over a replica that is down, and comes back to it by itself")
    func downAndUp() async throws {
        try await ReplicatedWorld.with { world in
            let token = try await world.write()
            try await world.untilReplicaServes(.atLeast(token))
            try await world.cluster.replica?.stop(.immediate)
            for _ in 0..<20 { #expect(try await world.look(.any) == (1, false)) }
            try await world.cluster.replica?.start()
            try await world.untilReplicaServes()
            #expect(await world.watch.findings().isEmpty)
        }
    }

    @Test("passes over a replica that was promoted, whatever it has come to hold")
    func promoted() async throws {
        try await ReplicatedWorld.with { world in
            let token = try await world.write()
            try await world.untilReplicaServes(.atLeast(token))
            _ = try await world.cluster.replica?.execute("SELECT pg_promote(true)")
            try await Waiting.until("the promotion was seen") { world.replica.current == .promoted }
            #expect(try await world.look(.any) == (1, false))
            #expect(try await world.look(.atLeast(token)) == (1, false))
            #expect(await world.watch.findings().first?.contains("is no replica") == true)
        }
    }

    @Test("is never sent to a server of another cluster")
    func foreign() async throws {
        try await PostgresServer.withDedicated { other in
            try await TestDataPlane.with { plane in
                _ = try await other.primary.execute("CREATE DATABASE \(plane.database.name)")
                let fleet = DatabaseFleet(
                    servers: [
                        ServerSettings(
                            name: "home", primary: try plane.database.server().primary,
                            replicas: [try ConnectionSettings(other.primary.address.url)])
                    ], logger: .silent)
                let findings = await ReplicaWatch(fleet, logger: .silent).findings()
                #expect(findings.count == 1 && findings[0].contains("another cluster"), "\(findings)")
                #expect(fleet.replicated[0].replicas[0].current == .foreign)
            }
        }
    }

    @Test("goes to the one of several replicas that has come far enough, one by one")
    func severalReplicas() throws {
        let settings = ConnectionSettings(host: "127.0.0.1", user: "x", database: "x")
        let fleet = DatabaseFleet(
            servers: [ServerSettings(name: "home", primary: settings, replicas: [settings, settings, settings])],
            logger: .silent)
        let database = try fleet.database(DatabaseID(server: "home", name: "x"))
        let replicas = database.replicas.map(\.replica)
        _ = replicas[0].become(.following(position: 100, lag: .zero))
        _ = replicas[1].become(.following(position: 50, lag: .zero))
        _ = replicas[2].become(.following(position: 10, lag: .seconds(60)))
        func served(_ need: ReadNeed) -> Set<Int> {
            Set((0..<12).compactMap { _ in database.replica(for: need)?.replica.number })
        }
        #expect(served(.atLeast(ConsistencyToken(server: "home", position: 60))) == [1])
        #expect(served(.atLeast(ConsistencyToken(server: "home", position: 50))) == [1, 2])
        #expect(served(.atLeast(ConsistencyToken(server: "home", position: 101))).isEmpty)
        #expect(served(.atLeast(ConsistencyToken(server: "other", position: 1))).isEmpty)
        #expect(served(.any) == [1, 2], "one that is far behind is passed over")
        #expect(served(.latest).isEmpty)
        replicas[0].failed(PostgresError(.connectionLost, "gone"))
        #expect(served(.any) == [2])
    }

    @Test("tells a lag in time from where the primary was when")
    func lag() {
        var history = PrimaryHistory()
        let start = ContinuousClock.now
        for second in 0..<10 { history.add(UInt64(second * 100), at: start + .seconds(second)) }
        let now = start + .seconds(10)
        #expect(history.lag(of: 900, at: now) == .zero)
        #expect(history.lag(of: 500, at: now) == .seconds(5))
        #expect(history.lag(of: 550, at: now) == .seconds(5))
        #expect(history.lag(of: 5000, at: now) == .zero)
    }
}

@Suite("A consistency token")
struct ConsistencyTokenTests {
    @Test("reads what it writes", arguments: [0, 1, 0x16B_3748, UInt64.max])
    func roundTrip(_ position: UInt64) {
        let token = ConsistencyToken(server: "eu-2", position: position)
        #expect(ConsistencyToken(token.description) == token)
        #expect(ConsistencyToken.position(token.logPosition) == position)
    }

    @Test(
        "is nothing else",
        arguments: [
            "", "v1", "v1.home", "v2.home.1", "v1..1", "v1.home.", "v1.home.x1", "v1.HOME.1", "v1.home.1.2",
            "v1.home.11111111111111111", "v1.home.-1", "v1.home.1 ",
        ])
    func malformed(_ text: String) {
        #expect(ConsistencyToken(text) == nil)
    }
}
