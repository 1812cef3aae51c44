import Foundation
import TestSupport
import Testing

@testable import Postgres

@Suite("Asking for a second connection while holding one")
struct NestedAcquisitionTests {
    @Test("is refused at once, with advice, even where connections are free")
    func nested() async throws {
        try await withPool { pool in
            let error = try await pool.withConnection { _ in
                try await postgresError { _ = try await pool.run("SELECT 1") }
            }
            #expect(error.code == .nestedAcquisition && !error.isRetriable)
            #expect(error.message.contains("hand that connection on"))
            #expect(pool.statistics.acquisitions == 1)
            _ = try await pool.run("SELECT 1")
        }
    }

    @Test("is refused in a child task too")
    func childTask() async throws {
        try await withPool(PoolConfiguration(name: "one", maximum: 1)) { pool in
            try await pool.withConnection { _ in
                async let child = postgresError { _ = try await pool.run("SELECT 1") }
                let code = try await child.code
                #expect(code == .nestedAcquisition)
                let codes = try await withThrowingTaskGroup(of: PostgresError.Code.self) { group in
                    for _ in 1...3 {
                        group.addTask { try await postgresError { _ = try await pool.run("SELECT 1") }.code }
                    }
                    return try await group.reduce(into: Set()) { $0.insert($1) }
                }
                #expect(codes == [.nestedAcquisition])
            }
        }
    }

    @Test("is refused among the pools of one budget, however deep, and not among others")
    func pools() async throws {
        try await withPool { other in
            let budget = ConnectionBudget(limit: 4)
            let settings = other.settings
            let pools = (1...2).map {
                PostgresPool(
                    settings, PoolConfiguration(name: "shared\($0)", maximum: 2), budget: budget, logger: silent)
            }
            defer { for pool in pools { pool.close() } }
            try await pools[0].withConnection { _ in
                try await other.withConnection { _ in
                    for pool in pools + [other] {
                        let error = try await postgresError { _ = try await pool.run("SELECT 1") }
                        #expect(error.code == .nestedAcquisition)
                    }
                }
            }
        }
    }

    @Test("is allowed once the body has returned, even to a task that the body has started")
    func afterwards() async throws {
        try await withPool(PoolConfiguration(name: "one", maximum: 1)) { pool in
            let gate = Gate()
            let late = try await pool.withConnection { _ in
                Task {
                    await gate.pass()
                    return try await pool.run("SELECT 1")[0].count
                }
            }
            await gate.open()
            let count = try await late.value
            #expect(count == 1)
        }
    }
}
