package import Kernel
package import Logging
import Postgres

/// Makes and removes what a tenant's place consists of: nothing in the pool, schemas on the bridge, a database in a silo.
package struct TenantBuilder: Sendable {
    private let fleet: DatabaseFleet
    private let schemas: TenantSchemas
    private let template: SiloTemplate
    private let logger: Logger

    package init(fleet: DatabaseFleet, files: MigrationFiles, contextKey: ContextKey, logger: Logger) {
        self.fleet = fleet
        schemas = TenantSchemas(files)
        template = SiloTemplate(files, contextKey: contextKey, logger: logger)
        self.logger = logger
    }

    /// Repeating it finishes what was begun, and changes nothing where all is there.
    package func build(_ placement: Placement, of tenant: TenantID) async throws {
        switch placement.tier {
        case .pool: break
        case .bridge:
            try await connected(to: placement.database) {
                try await schemas.create(suffix: TenantSchemas.suffix(of: tenant), on: $0)
            }
        case .silo:
            try await template.create(placement.database.name, provisioner: provisioner(of: placement.database.server))
        }
    }

    /// Removes schemas or database with all that is in them. Only for a tenant that is not open.
    package func demolish(_ placement: Placement, of tenant: TenantID) async throws {
        switch placement.tier {
        case .pool: break
        case .bridge:
            try await connected(to: placement.database) {
                try await schemas.drop(suffix: TenantSchemas.suffix(of: tenant), on: $0)
            }
        case .silo:
            fleet.forget(placement.database)
            try await template.drop(placement.database.name, provisioner: provisioner(of: placement.database.server))
        }
    }

    private func connected<Result>(
        to database: DatabaseID, _ body: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        var settings = try provisioner(of: database.server)
        settings.database = database.name
        let connection = try await PostgresConnection.connect(settings, logger: logger)
        defer { connection.close() }
        return try await body(connection)
    }

    private func provisioner(of server: String) throws -> ConnectionSettings {
        guard let settings = try fleet.settings(of: server).provisioner else { throw NoProvisioner(server: server) }
        return settings
    }
}

/// This process has no login that may make schemas and databases.
package struct NoProvisioner: Error, Hashable, CustomStringConvertible {
    package let server: String

    package var description: String {
        """
        this process may not make schemas or databases on server \(server); give it the login atrium_provisioner \
        (ATRIUM_PROVISIONER_DATABASE_URL, or ATRIUM_SERVER_<NAME>_PROVISIONER_URL for a further server)
        """
    }
}
