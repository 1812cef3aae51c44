import DevStack
import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

/// Each test has a template of its own, so that all of them can be on one server.
@Suite("The template of silos")
struct MigrationSiloTests {
    private struct Server {
        let address: PostgresAddress
        let template: String

        var administrator: ConnectionSettings { get throws { try ConnectionSettings(address.url) } }
        var provisioner: ConnectionSettings { get throws { try login("atrium_provisioner", "postgres") } }

        func login(_ user: String, _ database: String) throws -> ConnectionSettings {
            try ConnectionSettings(address.user(user, password: "atrium").database(database).url)
        }

        func template(_ changes: [String: String] = [:], key: ContextKey = SQLFolder.contextKey) throws -> SiloTemplate
        {
            SiloTemplate(
                try SQLFolder.files(changes), contextKey: key, name: template, patience: .seconds(1), logger: .silent)
        }

        @discardableResult
        func execute(_ sql: SQL, in database: String = "postgres") async throws -> [String] {
            try await PostgresConnection.execute(sql, at: address.database(database)).map { try $0.decode(String.self) }
        }
    }

    private static func with(_ body: (Server) async throws -> Void) async throws {
        // For its roles, which belong to the whole server.
        try await PostgresServer.withDatabase(.migrated) { database in
            let name = "silos_\(UUID().uuidString.prefix(8).lowercased())"
            let server = Server(address: database.address.database("postgres"), template: name)
            try await body(server)
            _ = try? await server.execute("ALTER DATABASE \(identifier: name) IS_TEMPLATE false")
            try await server.execute("DROP DATABASE IF EXISTS \(identifier: name)")
        }
    }

    @Test("is made once, closed to everyone, and copied with all rights in place")
    func copy() async throws {
        try await Self.with { server in
            let template = try server.template()
            #expect(try await template.ensure(administrator: server.administrator))
            #expect(try await template.ensure(administrator: server.administrator) == false)
            let database = "atrium_\(someSuffix())"
            let time = try await ContinuousClock().measure {
                try await template.create(database, provisioner: server.provisioner)
            }
            print("a silo's database took \(time)")
            #expect(time < .seconds(5))
            #expect(
                try await server.execute(
                    "SELECT nspname::text FROM pg_namespace WHERE nspname = 'control'", in: database) == [])
            #expect(
                try await server.execute(
                    """
                    SELECT format('%s %s %s', a.grantee::regrole, a.privilege_type, d.datdba::regrole)
                    FROM pg_database d, aclexplode(d.datacl) a
                    WHERE datname = \(database) AND a.grantee <> d.datdba ORDER BY 1
                    """) == ["atrium_app CONNECT atrium_owner", "atrium_provisioner CONNECT atrium_owner"])
            let login = try await PostgresConnection.connect(
                server.login("atrium_app", database), logger: .silent)
            defer { login.close() }
            let error = await #expect(throws: PostgresError.self) {
                _ = try await login.query("SELECT set_config('a.b', 'c', true)")
            }
            #expect(error?.sqlState == "42501")
            // Made again, it is the same.
            try await template.create(database, provisioner: server.provisioner)
        }
    }

    @Test("is made anew when a file or the secret changes, and not copied before that")
    func outdated() async throws {
        try await Self.with { server in
            try await server.template().ensure(administrator: server.administrator)
            let otherKey = ContextKey(secret: Array("another secret, for another time".utf8))
            for newer in [
                try server.template(["orders/0900_more.sql": "CREATE TABLE more (tenant_id uuid);"]),
                try server.template(key: otherKey),
            ] {
                let database = "atrium_\(someSuffix())"
                let error = await #expect(throws: SiloError.self) {
                    try await newer.create(database, provisioner: server.provisioner)
                }
                guard case .templateOutdated = error else { throw error! }
                #expect(try await newer.ensure(administrator: server.administrator))
                try await newer.create(database, provisioner: server.provisioner)
            }
            #expect(
                try await server.execute(
                    "SELECT datname::text FROM pg_database WHERE starts_with(datname, \(server.template))")
                    == [server.template])
        }
    }

    @Test("that was never made is told as that")
    func missing() async throws {
        try await Self.with { server in
            try await server.template().ensure(administrator: server.administrator)
            try await server.execute("ALTER DATABASE \(unsafeSQL: server.template) IS_TEMPLATE false")
            try await server.execute("DROP DATABASE \(unsafeSQL: server.template)")
            let error = await #expect(throws: SiloError.self) {
                try await server.template().create("atrium_\(someSuffix())", provisioner: server.provisioner)
            }
            guard case .templateMissing = error else { throw error! }
        }
    }

    @Test("can be copied by several at once, and each copy is whole")
    func concurrency() async throws {
        try await Self.with { server in
            let template = try server.template()
            try await template.ensure(administrator: server.administrator)
            let names = (0..<4).map { _ in "atrium_\(someSuffix())" }
            try await withThrowingTaskGroup(of: Void.self) { group in
                // Two for each name: the same request may be under way twice.
                for name in names + names {
                    group.addTask { try await template.create(name, provisioner: server.provisioner) }
                }
                try await group.waitForAll()
            }
            for name in names {
                #expect(
                    try await server.execute("SELECT to_regclass('orders.orders')::text", in: name) == ["orders.orders"]
                )
            }
        }
    }

    @Test("in use is waited for, and told when it stays so")
    func inUse() async throws {
        try await Self.with { server in
            let template = try server.template()
            try await template.ensure(administrator: server.administrator)
            // Somebody who came in while it was open for a moment.
            try await server.execute("ALTER DATABASE \(unsafeSQL: server.template) ALLOW_CONNECTIONS true")
            let visitor = try await PostgresConnection.connect(
                ConnectionSettings(server.address.database(server.template).url), logger: .silent)
            try await server.execute("ALTER DATABASE \(unsafeSQL: server.template) ALLOW_CONNECTIONS false")
            let database = "atrium_\(someSuffix())"
            let error = await #expect(throws: SiloError.self) {
                try await template.create(database, provisioner: server.provisioner)
            }
            guard case .templateInUse = error else { throw error! }
            async let made: Void = template.create(database, provisioner: server.provisioner)
            visitor.close()
            try await made
        }
    }

    @Test("leaves a silo's database to be dropped, once nobody is in it")
    func drop() async throws {
        try await Self.with { server in
            let template = try server.template()
            try await template.ensure(administrator: server.administrator)
            let database = "atrium_\(someSuffix())"
            try await template.create(database, provisioner: server.provisioner)
            let user = try await PostgresConnection.connect(
                server.login("atrium_app", database), logger: .silent)
            let error = await #expect(throws: SiloError.self) {
                try await template.drop(database, provisioner: server.provisioner)
            }
            guard case .databaseInUse = error else { throw error! }
            user.close()
            for _ in 0..<2 { try await template.drop(database, provisioner: server.provisioner) }
            #expect(try await server.execute("SELECT datname::text FROM pg_database WHERE datname = \(database)") == [])
        }
    }

    @Test("whose server can't be reached is told with the server's name")
    func unreachable() async throws {
        let nowhere = ConnectionSettings(host: "127.0.0.1", port: 1, user: "atrium_provisioner", database: "postgres")
        let error = await #expect(throws: SiloError.self) {
            try await SiloTemplate(SQLFolder.files(), contextKey: SQLFolder.contextKey, logger: .silent)
                .create("atrium_\(someSuffix())", provisioner: nowhere)
        }
        guard case .unreachable("127.0.0.1", _) = error else { throw error! }
    }
}
