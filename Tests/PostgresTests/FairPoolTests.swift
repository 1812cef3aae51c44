import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("A pool that many share")
struct FairPoolTests {
    @Test("one request of a newcomer is served at once, though a thousand of another borrower wait")
    func newcomer() async throws {
        var configuration = PoolConfiguration(name: "fair", maximum: 2)
        configuration.acquisitionTimeout = .seconds(60)
        try await withPool(configuration) { pool in
            let busy = PoolBorrower(key: UUID(), weight: 10)
            let order = Notes()
            try await withThrowingTaskGroup(of: Void.self) { group in
                let gate = Gate()
                for _ in 1...2 {
                    group.addTask { try await pool.withConnection(for: busy) { _ in await gate.pass() } }
                }
                try await Waiting.until("both are lent") { pool.statistics.leased == 2 }
                for _ in 1...1000 {
                    group.addTask {
                        try await pool.withConnection(for: busy) { connection in
                            order.append("busy")
                            _ = try await connection.run("SELECT 1")
                        }
                    }
                }
                try await Waiting.until("a thousand wait") { pool.statistics.waiting == 1000 }
                group.addTask {
                    try await pool.withConnection(for: PoolBorrower(key: UUID())) { _ in
                        order.append("newcomer")
                    }
                }
                try await Waiting.until("one more waits") { pool.statistics.waiting == 1001 }
                await gate.open()
                try await group.waitForAll()
            }
            // One hand-over to the other line may come first; with two connections, the two who run may note it late.
            let place = order.all.firstIndex(of: "newcomer")
            #expect(try #require(place) <= 3)
        }
    }

    @Test("a borrower never has more than its cap, and others use what it leaves")
    func cap() async throws {
        try await withPool(PoolConfiguration(name: "cap", maximum: 4)) { pool in
            let capped = PoolBorrower(key: UUID(), cap: 2)
            let now = Count()
            let most = Count()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...60 {
                    group.addTask {
                        try await pool.withConnection(for: capped) { connection in
                            most.raise(to: now.add(1))
                            _ = try await connection.run("SELECT pg_sleep(0.001)")
                            now.add(-1)
                        }
                    }
                }
                try await Waiting.until("it waits at its cap", every: .microseconds(100)) {
                    pool.statistics.waiting > 0 && pool.statistics.leased >= 2
                }
                // While it waits, somebody else comes by without delay.
                _ = try await pool.run("SELECT 1")
                try await group.waitForAll()
            }
            #expect(most.value == 2)
            let figures = try #require(pool.statistics.borrowers.first { $0.key == capped.key })
            #expect(figures.acquisitions == 60 && figures.leased == 0 && figures.waited > .zero)
        }
    }

    @Test("fifty who come at once are done by the one connection there is, before a new one is let in")
    func spike() async throws {
        let server = try await testServer()
        let proxy = try Proxy(to: try #require(Int(server.port)))
        defer { proxy.stop() }
        var settings = server
        settings.port = String(proxy.port)
        var configuration = PoolConfiguration(name: "spike", maximum: 20)
        configuration.healthCheckAfterIdle = .seconds(3600)
        let pool = PostgresPool(settings, configuration, logger: silent)
        defer { pool.close() }
        _ = try await pool.run("SELECT 1")
        proxy.holdNewcomers()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 1...50 { group.addTask { _ = try await pool.run("SELECT pg_sleep(0.002)") } }
            try await group.waitForAll()
        }
        #expect(pool.statistics.created == 1)
        proxy.letIn()
        try await pool.comeToRest()
        #expect(pool.statistics.created <= 6)
    }

    @Test("ten thousand who give up, by deadline or cancelled, leave every connection at hand")
    func givingUp() async throws {
        try await withPool(PoolConfiguration(name: "crowd", maximum: 3)) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let gate = Gate()
                for _ in 1...3 { group.addTask { try await pool.withConnection { _ in await gate.pass() } } }
                try await Waiting.until("all are lent") { pool.statistics.leased == 3 }
                await withTaskGroup(of: Void.self) { crowd in
                    for number in 0..<10_000 {
                        let borrower = PoolBorrower(key: number % 3 == 0 ? nil : UUID(), cap: 1)
                        crowd.addTask {
                            let deadline = ContinuousClock.now.advanced(
                                by: number % 2 == 0 ? .milliseconds(number % 50) : .seconds(60))
                            try? await pool.withConnection(for: borrower, deadline: deadline) { _ in }
                        }
                    }
                    try? await Waiting.until("the deadlines have passed") {
                        pool.statistics.timeouts == 5000 && pool.statistics.waiting == 5000
                    }
                    crowd.cancelAll()
                }
                #expect(pool.statistics.waiting == 0 && pool.placesKeptForTheGone < 200)
                #expect(pool.statistics.timeouts == 5000)
                await gate.open()
                try await group.waitForAll()
            }
            let counts = try await withConnection(pool.settings) { observer in
                try await observer.run(
                    """
                    SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                        AND backend_type = 'client backend'
                    """)[0][0].decode((Int, Int).self)
            }
            #expect(counts.0 <= 3 && counts.1 == 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...9 { group.addTask { _ = try await pool.run("SELECT 1") } }
                try await group.waitForAll()
            }
            #expect(pool.statistics.leased == 0)
        }
    }
}
