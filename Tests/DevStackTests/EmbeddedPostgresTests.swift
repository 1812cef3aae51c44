import DevStack
import Foundation
import TestSupport
import Testing

@Suite("An embedded PostgreSQL")
struct EmbeddedPostgresTests {
    @Test("keeps its port, its password and its rows over stop and start")
    func restart() async throws {
        try await PostgresServer.withDedicated(durable: true) { cluster in
            let server = cluster.primary
            _ = try await server.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')")
            let before = server.processID
            try await server.stop()
            #expect(!server.isRunning)
            #expect(server.processID == nil)
            try await server.start()
            #expect(server.processID != before)
            #expect(try await server.execute("SELECT word FROM kept") == "still here")
            #expect(try await server.execute("SHOW fsync") == "on")
            #expect(try await server.execute("SHOW listen_addresses") == "127.0.0.1")
        }
    }

    @Test("comes back after a crash of the server")
    func crash() async throws {
        try await PostgresServer.withDedicated(durable: true) { cluster in
            let server = cluster.primary
            _ = try await server.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('committed')")
            try await server.kill()
            #expect(!server.isRunning)
            try await server.start()
            #expect(try await server.execute("SELECT word FROM kept") == "committed")
        }
    }

    @Test("lets nobody in without the password, by socket or by TCP")
    func password() async throws {
        try await PostgresServer.withDedicated { cluster in
            let psql = try #require(Program.find("psql"))
            let address = cluster.primary.address
            for host in [address.host, try #require(address.socketDirectory)] {
                let arguments = ["-X", "-w", "-h", host, "-p", "\(address.port)", "-U", "postgres", "-c", "SELECT 1"]
                let bare = try await ChildProcess.run(Program(psql, arguments))
                #expect(!bare.status.isSuccess)
                #expect(bare.errors.contains("no password supplied"))
                var environment = Program.plainEnvironment
                environment["PGPASSWORD"] = address.password
                let known = try await ChildProcess.run(Program(psql, arguments, environment: environment))
                #expect(known.status.isSuccess, "\(known.errors)")
            }
        }
    }

    @Test("has a replica that follows, refuses writes, and follows again after both were stopped")
    func replica() async throws {
        try await PostgresServer.withDedicated(replica: true) { cluster in
            let replica = try #require(cluster.replica)
            _ = try await cluster.primary.execute("CREATE TABLE seen (n int); INSERT INTO seen VALUES (1)")
            try await Waiting.until("the table is on the replica") {
                try await replica.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'seen'") == "1"
            }
            await #expect(throws: DevStackError.self) { try await replica.execute("INSERT INTO seen VALUES (2)") }
            try await cluster.stop()
            #expect(!cluster.isRunning)
            try await cluster.primary.start()
            try await replica.start()
            _ = try await cluster.primary.execute("INSERT INTO seen VALUES (3)")
            try await Waiting.until("the next row is on the replica") {
                try await replica.execute("SELECT count(*) FROM seen") == "2"
            }
        }
    }

    @Test("is stopped the harder way when it takes too long the polite way")
    func patience() async throws {
        try await PostgresServer.withDedicated { cluster in
            let server = cluster.primary
            async let client: String? = try? server.execute("SELECT pg_sleep(600)")
            try await Waiting.until("a client is at work") {
                try await server.execute("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%sleep(600)'") == "1"
            }
            try await server.stop(.smart, within: .milliseconds(200))
            #expect(!server.isRunning)
            #expect(await client == nil)
        }
    }

    @Test("says when it ends by itself")
    func endsByItself() async throws {
        try await PostgresServer.withDedicated { cluster in
            let number = try #require(cluster.primary.processID)
            async let ending = cluster.primary.waitForExit()
            kill(number, SIGKILL)
            #expect(try await ending == .signalled(SIGKILL))
            #expect(!cluster.isRunning)
        }
    }
}
