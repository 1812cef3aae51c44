import DevStack
import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("A server that goes away")
struct LostServerTests {
    @Test("a statement whose session is ended fails at once, with the server's reason")
    func terminatedWhileRunning() async throws {
        try await withConnection { connection in
            let error = try await postgresError {
                try await connection.run(
                    "SELECT 1", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT pg_sleep(60)")
            }
            #expect(error.code == .connectionLost)
            #expect(error.sqlState == "57P01")
            #expect(!connection.isOpen)
            let after = try await postgresError { try await connection.run("SELECT 1") }
            #expect(after.code == .connectionLost)
        }
    }

    @Test("an idle connection that the server ends leaves the pool by itself")
    func terminatedWhileIdle() async throws {
        try await withPool { pool in
            let process = try await pool.run("SELECT pg_backend_pid()")[0][0].decode(Int32.self)
            #expect(pool.statistics.idle == 1)
            _ = try await withConnection { try await $0.run("SELECT pg_terminate_backend(\(process))") }
            try await Waiting.until("the pool has noticed") { pool.statistics.open == 0 }
            let next = try await pool.run("SELECT pg_backend_pid()")[0][0].decode(Int32.self)
            #expect(next != process)
        }
    }

    @Test("a connection lost while it is lent is replaced, and the next borrower is served")
    func terminatedWhileLent() async throws {
        try await withPool(PoolConfiguration(name: "one", maximum: 1)) { pool in
            for _ in 1...5 {
                let error = try await postgresError {
                    _ = try await pool.run("BEGIN", "SELECT pg_terminate_backend(pg_backend_pid())", "COMMIT")
                }
                #expect(error.code == .connectionLost)
                _ = try await pool.run("SELECT 1")
            }
            #expect(pool.statistics.created == 6)
        }
    }

    @Test("a server that restarts is found again, and those who wait are served when it is back")
    func restart() async throws {
        try await PostgresServer.withDedicated { embedded in
            let pool = PostgresPool(
                try ConnectionSettings(embedded.primary.address.url), PoolConfiguration(name: "restart", maximum: 3),
                logger: silent)
            defer { pool.close() }
            _ = try await pool.run("SELECT 1")
            try await embedded.primary.stop()
            try await Waiting.until("the pool has noticed") { pool.statistics.open == 0 }
            async let waiting = pool.run("SELECT 2")
            try await Waiting.until("it was refused at least once") { pool.statistics.failures > 0 }
            try await embedded.primary.start()
            let served = try await waiting[0].count
            #expect(served == 1)
        }
    }

    @Test("without a server, those who wait get the reason within their deadline")
    func refused() async throws {
        var settings = try await testServer()
        settings.host = "/nonexistent"
        var configuration = PoolConfiguration(name: "refused", maximum: 2)
        configuration.acquisitionTimeout = .milliseconds(200)
        let pool = PostgresPool(settings, configuration, logger: silent)
        let start = ContinuousClock.now
        await withTaskGroup(of: PostgresError?.self) { group in
            for _ in 1...50 {
                group.addTask { try? await postgresError { _ = try await pool.run("SELECT 1") } }
            }
            for await error in group {
                #expect(error?.code == .connectFailed && error?.isRetriable == true)
                #expect(error?.message.contains("/nonexistent") == true)
            }
        }
        #expect(ContinuousClock.now - start < .seconds(5))
        // One attempt at a time, with a growing pause: not one for each who waits.
        #expect(pool.statistics.failures < 10)
        #expect(pool.statistics.waiting == 0)
    }

    @Test("a database that isn't there, and a wrong password, fail at once and for good")
    func wrongSettings() async throws {
        let server = try await testServer()
        var noDatabase = server
        noDatabase.database = "none"
        var wrongPassword = server
        wrongPassword.password = "wrong"
        for (settings, sqlState) in [(noDatabase, "3D000"), (wrongPassword, "28P01")] {
            let error = try await postgresError {
                _ = try await PostgresConnection.connect(settings, logger: silent, deadline: soon)
            }
            #expect(error.code == .connectFailed && error.sqlState == sqlState && !error.isRetriable)
            #expect(!"\(error)".contains("wrong\"") && !error.debugDescription.contains("password=wrong"))
            let pool = PostgresPool(settings, PoolConfiguration(name: "wrong"), logger: silent)
            let start = ContinuousClock.now
            let again = try await postgresError { _ = try await pool.run("SELECT 1") }
            #expect(again.sqlState == sqlState)
            #expect(ContinuousClock.now - start < .seconds(4))
        }
    }

    @Test("a server that accepts and then says nothing costs no more than the time to connect")
    func silentServer() async throws {
        let server = try await testServer()
        let proxy = try Proxy(to: try #require(Int(server.port)))
        defer { proxy.stop() }
        var settings = server
        settings.port = String(proxy.port)
        settings.connectTimeout = .milliseconds(100)
        proxy.swallowEverything()
        let error = try await postgresError { _ = try await PostgresConnection.connect(settings, logger: silent) }
        #expect(error.code == .connectFailed)
    }

    @Test("a connection that leads nowhere is found out before it is lent, and a statement on one ends at its deadline")
    func swallowed() async throws {
        let server = try await testServer()
        let proxy = try Proxy(to: try #require(Int(server.port)))
        defer { proxy.stop() }
        var settings = server
        settings.port = String(proxy.port)
        var configuration = PoolConfiguration(name: "swallowed", maximum: 1)
        configuration.healthCheckAfterIdle = .zero
        configuration.healthCheckTimeout = .milliseconds(50)
        configuration.settleTimeout = .milliseconds(50)
        let pool = PostgresPool(settings, configuration, logger: silent)
        defer { pool.close() }
        let first = try await pool.run("SELECT pg_backend_pid()")[0][0].decode(Int32.self)
        proxy.swallow()
        let second = try await pool.run("SELECT pg_backend_pid()")[0][0].decode(Int32.self)
        #expect(first != second)
        let error = try await postgresError {
            try await pool.withConnection { connection in
                proxy.swallow()
                _ = try await connection.flight([Statement("SELECT 1")], deadline: .now.advanced(by: .milliseconds(50)))
            }
        }
        #expect(error.code == .timeout)
        _ = try await pool.run("SELECT 1")
        #expect(pool.statistics.destroyed == 2)
    }

    @Test("a text that isn't a connection URL is refused without repeating it")
    func settings() throws {
        let url = try ConnectionSettings(
            "postgresql://ada:s3cret@db1:5433,db2:5434/shop?sslmode=require&connect_timeout=3")
        #expect(url.host == "db1,db2" && url.port == "5433,5434" && url.user == "ada" && url.password == "s3cret")
        #expect(url.database == "shop" && url.parameters == ["sslmode": "require"] && url.connectTimeout == .seconds(3))
        #expect(!"\(url)".contains("s3cret"))
        let pairs = try ConnectionSettings("host=/tmp dbname=x user=y")
        #expect(pairs.host == "/tmp" && pairs.database == "x")
        for text in ["postgresql://[half", "password s3cret", "hst=\"s3cret\""] {
            let error = #expect(throws: PostgresError.self) { try ConnectionSettings(text) }
            #expect(error?.code == .invalidSettings && "\(error!)".contains("s3cret") == false)
        }
    }
}
