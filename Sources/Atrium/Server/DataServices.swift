import Foundation
import Logging
import Postgres
import Tenancy

/// What every process does its work on data with: the databases, where tenants live, and the way there.
struct DataServices: Sendable {
    let fleet: DatabaseFleet
    let directory: TenantDirectory
    let plane: DataPlane
    let builder: TenantBuilder
    let files: MigrationFiles
    let contextKey: ContextKey

    init(_ configuration: ServerConfiguration, poolMaximum: Int? = nil, logger: Logger) throws {
        files = try MigrationFiles(directory: configuration.schemas.appending(path: "sql"))
        contextKey = ContextKey(secret: configuration.secret)
        let signer = ContextSigner(contextKey, throughPooler: configuration.throughPooler)
        let pool = PoolConfiguration(maximum: poolMaximum ?? configuration.poolMaximum)
        let servers = configuration.servers.map { configuration.throughPooler ? $0.withoutNamedStatements : $0 }
        fleet = DatabaseFleet(
            servers: servers, pools: pool, budget: ConnectionBudget(limit: configuration.connections), logger: logger)
        directory = TenantDirectory(fleet: fleet, signer: signer, logger: logger)
        plane = DataPlane(fleet: fleet, locator: directory, signer: signer)
        builder = TenantBuilder(fleet: fleet, files: files, contextKey: contextKey, logger: logger)
    }

    /// Every database that a context's outbox or dead letters can be in.
    func databases(of schema: String) -> @Sendable () async throws -> [DatabaseID] {
        if schema == "control" { return { [fleet] in [fleet.control] } }
        return { [directory] in try await directory.databases }
    }
}

extension ServerSettings {
    /// A pooler that hands each transaction to another server process can't keep statements by name.
    fileprivate var withoutNamedStatements: ServerSettings {
        var settings = self
        settings.primary.preparesStatements = false
        for index in settings.replicas.indices { settings.replicas[index].preparesStatements = false }
        return settings
    }
}
