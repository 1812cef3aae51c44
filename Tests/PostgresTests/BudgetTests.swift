import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("A budget shared by many pools")
struct BudgetTests {
    @Test("pools take turns in the line, however many connections each of them wants")
    func turns() {
        var budget = BudgetState(limit: 1)
        budget.want(0, entry: 0)
        let first = budget.next()
        let isEnough = !budget.isShort
        #expect(first?.pool == 0 && isEnough)
        for entry in 1...5 { budget.want(1, entry: entry) }
        budget.want(2, entry: 9)
        let (isShort, waiting) = (budget.isShort, budget.waiting)
        #expect(isShort && waiting == 6)
        var order: [Int] = []
        for _ in 1...6 {
            let none = budget.next()
            #expect(none == nil)
            budget.release(isLeaving: false)
            if let next = budget.next() { order.append(next.pool) }
        }
        let (left, used) = (budget.waiting, budget.used)
        #expect(order == [1, 2, 1, 1, 1, 1] && left == 0 && used == 1)
    }

    @Test("it isn't short where somebody is leaving for each who waits")
    func leaving() {
        var budget = BudgetState(limit: 2)
        for entry in 1...3 { budget.want(entry, entry: entry) }
        while budget.next() != nil {}
        let before = budget.isShort
        budget.leave()
        let after = budget.isShort
        #expect(before && !after)
        budget.release(isLeaving: true)
        let next = budget.next()
        let (isShort, used) = (budget.isShort, budget.used)
        #expect(next?.pool == 3 && !isShort && used == 2)
    }

    /// Databases' worth of pools, all to one database, with an application name that tells them from others.
    private func withPools(
        _ count: Int, budget: ConnectionBudget, maximum: Int = 2,
        _ body: ([PostgresPool], ConnectionSettings) async throws -> Void
    ) async throws {
        var settings = try await testServer()
        settings.applicationName = "budget-\(UUID())"
        var configuration = PoolConfiguration(name: "silo", maximum: maximum)
        configuration.acquisitionTimeout = .seconds(60)
        let pools = (0..<count).map { _ in PostgresPool(settings, configuration, budget: budget, logger: silent) }
        defer { for pool in pools { pool.close() } }
        try await body(pools, settings)
    }

    private func open(_ settings: ConnectionSettings, _ observer: PostgresConnection) async throws -> Int {
        try await observer.run(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = \(settings.applicationName)")[0][0].decode()
    }

    @Test("two hundred pools do all their work with ten connections, and never have one more")
    func manyPools() async throws {
        let budget = ConnectionBudget(limit: 10)
        try await withPools(200, budget: budget) { pools, settings in
            try await withConnection { observer in
                let done = Count()
                let most = try await withThrowingTaskGroup(of: Int.self) { group in
                    group.addTask {
                        var most = 0
                        while done.value == 0 { most = max(most, try await open(settings, observer)) }
                        return most
                    }
                    let served = try await withThrowingTaskGroup(of: Int.self) { work in
                        for pool in pools {
                            for number in 1...4 {
                                work.addTask { try await pool.run("SELECT \(number)")[0][0].decode(Int.self) }
                            }
                        }
                        return try await work.reduce(into: 0) { $0 += $1 }
                    }
                    #expect(served == 200 * (1 + 2 + 3 + 4))
                    done.add(1)
                    return try await group.next() ?? 0
                }
                #expect((1...10).contains(most))
                #expect(budget.used <= 10 && budget.waiting == 0)
            }
        }
    }

    @Test("the connection that is idle the longest goes first, and its pool opens another when it needs one")
    func longestIdle() async throws {
        let budget = ConnectionBudget(limit: 2)
        try await withPools(3, budget: budget, maximum: 1) { pools, _ in
            _ = try await pools[0].run("SELECT 1")
            _ = try await pools[1].run("SELECT 1")
            _ = try await pools[0].run("SELECT 1")
            _ = try await pools[2].run("SELECT 1")
            #expect(pools.map(\.statistics.open) == [1, 0, 1])
            _ = try await pools[1].run("SELECT 1")
            #expect(pools.map(\.statistics.open) == [0, 1, 1])
            #expect(pools.map(\.statistics.created) == [1, 2, 1] && budget.used == 2)
        }
    }

    @Test("where all are in use, a pool waits for the first that comes back idle, and is told so in vain")
    func allInUse() async throws {
        let budget = ConnectionBudget(limit: 1)
        try await withPools(2, budget: budget, maximum: 1) { pools, _ in
            try await pools[0].whileLent {
                let error = try await postgresError {
                    try await pools[1].withConnection(deadline: .now.advanced(by: .milliseconds(30))) { _ in }
                }
                #expect(error.code == .poolExhausted && error.isRetriable && error.message.contains("budget"))
            }
            // Nobody waits any more, so the permit that was asked for is declined, and what is idle may stay.
            let served = Count()
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await pools[0].whileLent {
                    group.addTask {
                        _ = try await pools[1].run("SELECT 1")
                        served.add(1)
                    }
                    try await Waiting.until("the other pool waits in the line") { budget.waiting == 1 }
                    #expect(served.value == 0)
                }
                try await group.waitForAll()
            }
            #expect(served.value == 1)
        }
    }

    @Test("a pool with always more waiters doesn't keep a connection from a pool with one")
    func noStarvation() async throws {
        let budget = ConnectionBudget(limit: 1)
        try await withPools(2, budget: budget, maximum: 1) { pools, _ in
            let served = Count()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...8 {
                    group.addTask {
                        while served.value == 0 { _ = try await pools[0].run("SELECT 1") }
                    }
                }
                try await Waiting.until("the pool is busy") { pools[0].statistics.waiting > 2 }
                let before = pools[0].statistics.acquisitions
                _ = try await pools[1].run("SELECT 1")
                served.add(1)
                #expect(pools[0].statistics.acquisitions - before < 1000)
                try await group.waitForAll()
            }
        }
    }

    @Test("an idle or dropped pool costs nothing")
    func nothingLeft() async throws {
        let budget = ConnectionBudget(limit: 3)
        try await withPools(100, budget: budget) { pools, settings in
            for pool in pools { _ = try await pool.run("SELECT 1") }
            #expect(budget.used <= 3 && budget.members <= 4)
            do {
                let dropped = PostgresPool(settings, budget: budget, logger: silent)
                _ = try await dropped.run("SELECT 1")
            }
            for pool in pools { pool.close() }
            try await Waiting.until("all is given back") { budget.used == 0 && budget.members == 0 }
        }
    }

    @Test("connections that can't be opened, and those that break, give their place back")
    func failures() async throws {
        let budget = ConnectionBudget(limit: 2)
        try await withPools(2, budget: budget) { pools, settings in
            var wrong = settings
            wrong.database = "none"
            let bad = PostgresPool(wrong, budget: budget, logger: silent)
            for _ in 1...5 {
                let error = try await postgresError { _ = try await bad.run("SELECT 1") }
                #expect(error.sqlState == "3D000")
                _ = try await postgresError {
                    _ = try await pools[0].run("SELECT pg_terminate_backend(pg_backend_pid())")
                }
                _ = try await pools[1].run("SET work_mem = '7MB'")
            }
            try await Waiting.until("all is given back") { budget.used == 0 }
            #expect(pools[1].statistics.unclean == [.setting: 5])
        }
    }

    @Test("a pool with a budget has no connection to listen on")
    func listening() async throws {
        let budget = ConnectionBudget(limit: 2)
        try await withPools(1, budget: budget) { pools, _ in
            let error = try await postgresError { _ = try await pools[0].notifications(on: "news") }
            #expect(error.code == .unsupported)
        }
    }
}
