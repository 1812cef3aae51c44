package import DevStack
package import Kernel
import Postgres
import Synchronization
package import Tenancy

/// Gives every tenant a place in one tier the first time that somebody asks for it, with the product's own builder.
package final class TestHomes: TenantLocator {
    private let tier: Tier
    private let fleet: DatabaseFleet
    private let builder: TenantBuilder
    private let homes = Mutex<[TenantID: Residence]>([:])
    private let building = Mutex<[TenantID: Task<Residence, any Error>]>([:])

    package init(tier: Tier, fleet: DatabaseFleet, files: MigrationFiles) {
        self.tier = tier
        self.fleet = fleet
        builder = TenantBuilder(fleet: fleet, files: files, contextKey: TestDataPlane.contextKey, logger: .silent)
    }

    package func known(_ tenant: TenantID) -> Residence? { homes.withLock { $0[tenant] } }

    package func residence(of tenant: TenantID) async throws -> Residence? {
        let task = building.withLock { building in
            if let running = building[tenant] { return running }
            // Unstructured, so that it does not die with the one caller that came first.
            let task = Task { try await self.build(tenant) }
            building[tenant] = task
            return task
        }
        return try await task.value
    }

    /// Every database that a tenant was given a place in.
    package var databases: [DatabaseID] {
        Set(homes.withLock { $0.values.map(\.placement.database) } + [fleet.control]).sorted { "\($0)" < "\($1)" }
    }

    private func build(_ tenant: TenantID) async throws -> Residence {
        let database =
            tier == .silo
            ? DatabaseID(server: fleet.control.server, name: "atrium_t\(tenant.hexDigits)") : fleet.control
        let residence = Residence(
            tenantID: tenant, slug: "t\(tenant.hexDigits)", state: .active,
            placement: Placement(tier: tier, database: database, of: tenant))
        try await builder.build(residence.placement, of: tenant)
        homes.withLock { $0[tenant] = residence }
        return residence
    }

    /// Drops the databases of silos: everything else goes with the test's own database.
    func demolish() async {
        for residence in homes.withLock({ Array($0.values) }) where residence.placement.tier == .silo {
            try? await builder.demolish(residence.placement, of: residence.tenantID)
        }
    }
}

extension TestDatabase {
    /// The server as a program is told of it, by the name `home`.
    package func server(replicas: [PostgresAddress] = []) throws -> ServerSettings {
        func settings(_ address: PostgresAddress, _ user: String) throws -> ConnectionSettings {
            try ConnectionSettings(address.database(name).user(user, password: "atrium").url)
        }
        return ServerSettings(
            name: "home", primary: try settings(address, "atrium_app"),
            replicas: try replicas.map { try settings($0, "atrium_app") },
            provisioner: try settings(address, "atrium_provisioner"))
    }
}
