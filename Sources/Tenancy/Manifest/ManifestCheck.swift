package import Logging
import Postgres

/// Discovers where tenants' data really is, and says where that is not as the manifest has it.
///
/// It logs in as the server does and reads catalogues alone.
package struct ManifestCheck: Sendable {
    private let manifest: TenantDataManifest
    private let plane: DataPlane
    private let logger: Logger
    private static let patience = Duration.seconds(15)

    package init(_ manifest: TenantDataManifest, plane: DataPlane, logger: Logger) {
        self.manifest = manifest
        self.plane = plane
        self.logger = logger
    }

    /// - Parameter topics: what the broker has; `nil` leaves topics out of the check.
    package func run(topics: [String]?) async throws -> ManifestReport {
        var report = ManifestReport()
        for (database, isSilo) in try await databases() {
            do {
                let contents = try await contents(of: database)
                let place = DatabaseComparison.Place(
                    name: "\(database)", isControl: database == plane.fleet.control, isSilo: isSilo)
                report.findings += DatabaseComparison(manifest, place, contents).findings()
                report.tables += contents.relations.count
            } catch {
                try Task.checkCancellation()
                report.findings.append(
                    ManifestFinding(
                        place: "\(database)", store: "the database", problem: "can't be looked at: \(error)",
                        remedy: "mend that and check again; `atrium tenants audit` tells whether it should be there"))
            }
            report.databases += 1
        }
        if let topics {
            let ours = topics.filter { !$0.hasPrefix("__") }
            report.findings += compare(Set(ours))
            report.topics = ours.count
        }
        return report
    }

    /// Those that are registered; a silo's is once it is built.
    private func databases() async throws -> [(DatabaseID, isSilo: Bool)] {
        let control = plane.fleet.control
        let registered = try await plane.control(reason: .once("check the manifest"), logger: logger) {
            try await $0.rows(
                """
                SELECT server, \(TenantDirectory.databaseName), silo_of IS NOT NULL FROM control.databases d ORDER BY 1, 2
                """)
        }.map { row in
            let (server, name, isSilo) = try row.decode((String, String, Bool).self)
            return (DatabaseID(server: server, name: name), isSilo: isSilo)
        }
        return registered.contains { $0.0 == control } ? registered : [(control, isSilo: false)] + registered
    }

    /// Over a connection of its own: a pool for each of thousands of databases would outlive the look.
    private func contents(of database: DatabaseID) async throws -> DatabaseContents {
        let until = ContinuousClock.now + Self.patience
        var settings = try plane.fleet.settings(of: database.server).primary
        settings.database = database.name
        let connection = try await PostgresConnection.connect(settings, logger: logger, deadline: until)
        defer { connection.close() }
        return try await DatabaseContents.read(on: connection, deadline: until)
    }

    private func compare(_ topics: Set<String>) -> [ManifestFinding] {
        let listed = manifest.stores(of: .topic)
        let extra = topics.subtracting(listed.map(\.fullName)).sorted().map {
            ManifestFinding(
                place: "the broker", store: "topic \($0)", problem: "is not in the manifest",
                remedy: "describe it in \(manifest.file), or delete it")
        }
        let missing = listed.filter { !topics.contains($0.fullName) }.map {
            ManifestFinding(
                place: "the broker", store: "topic \($0.fullName)",
                problem: "is in the manifest (line \($0.line)) and not there",
                remedy: "start `atrium serve`, which makes it, or take it out of \(manifest.file)")
        }
        return extra + missing
    }
}
