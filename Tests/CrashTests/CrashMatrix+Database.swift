import DevStack
import TestSupport

/// PostgreSQL ends, in good order or not, or cuts its clients off.
extension CrashMatrix {
    static let databaseCases: [CrashCase] = [
        CrashCase(
            kind: .database, name: "connections to PostgreSQL cut", fault: "pg_terminate_backend ×4",
            isRepresentative: true
        ) { arena in
            try await arena.station("http,relay,consumers").start()
            var cut = 0
            var count = 0
            for _ in 0..<4 {
                count = try await arena.progress(beyond: count, by: 8)
                cut += try await arena.faults.cutConnections()
            }
            return CrashCase.Outcome(fired: cut, note: "connections")
        },
        restarted("PostgreSQL shut down at once", "immediate shutdown, recovery") { try await $0.stop(.immediate) },
        restarted("PostgreSQL shut down in good order", "fast shutdown") { try await $0.stop(.fast) },
        restarted("PostgreSQL killed", "SIGKILL, recovery") { try await $0.kill() },
    ]

    private static func restarted(
        _ name: String, _ fault: String, end: @escaping @Sendable (PostgresInstance) async throws -> Void
    ) -> CrashCase {
        CrashCase(kind: .database, name: name, fault: fault, needs: Arena.Needs(ownServer: true)) { arena in
            try await arena.station("http,relay,consumers").start()
            var fired = 0
            var count = 0
            for _ in 0..<2 {
                count = try await arena.progress(beyond: count, by: 10)
                fired += try await arena.faults.restartServer(end)
            }
            return CrashCase.Outcome(fired: fired)
        }
    }
}
