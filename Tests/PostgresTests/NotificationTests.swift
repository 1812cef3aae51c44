import TestSupport
import Testing

@testable import Postgres

@Suite("Notifications")
struct NotificationTests {
    @Test("whatever is notified once listening has begun is heard, in order")
    func heard() async throws {
        try await withPool { pool in
            let stream = try await pool.notifications(on: "odd \"channel")
            for number in 1...100 { _ = try await pool.run("SELECT pg_notify(\("odd \"channel"), \("\(number)"))") }
            var heard: [String] = []
            for try await payload in stream {
                heard.append(payload)
                if heard.count == 100 { break }
            }
            #expect(heard == (1...100).map { "\($0)" })
        }
    }

    @Test("a listener outside its transaction's commit hears nothing")
    func onlyCommitted() async throws {
        try await withPool { pool in
            let stream = try await pool.notifications(on: "nudge")
            _ = try await pool.run("BEGIN", "NOTIFY nudge, 'rolled back'", "ROLLBACK")
            _ = try await pool.run("NOTIFY nudge, 'committed'")
            var first: String?
            for try await payload in stream {
                first = payload
                break
            }
            #expect(first == "committed")
        }
    }

    @Test("a listener whose connection is lost is told so")
    func lost() async throws {
        try await withPool { pool in
            let stream = try await pool.notifications(on: "nudge")
            _ = try await pool.run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE query LIKE 'LISTEN%' AND datname = current_database()
                """
            )
            let error = try await postgresError { for try await _ in stream {} }
            #expect(error.code == .connectionLost)
        }
    }

    @Test("a listener that stops, or is cancelled, closes its connection")
    func stops() async throws {
        try await withPool { pool in
            func listeners() async throws -> Int {
                try await pool.run(
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"
                )[0][0].decode()
            }
            do {
                let stream = try await pool.notifications(on: "nudge")
                let task = Task { for try await _ in stream {} }
                task.cancel()
                try await task.value
            }
            do { _ = try await pool.notifications(on: "nudge") }
            try await Waiting.until("both are gone") { try await listeners() == 0 }
        }
    }

    @Test("a consumer that falls behind loses the oldest and not the newest")
    func overflow() async throws {
        try await withPool { pool in
            let stream = try await pool.notifications(on: "nudge", keeping: 2)
            _ = try await pool.run("SELECT pg_notify('nudge', n::text) FROM generate_series(1, 10) n")
            _ = try await pool.run("NOTIFY nudge, 'last'")
            var heard: [String] = []
            for try await payload in stream {
                heard.append(payload)
                if payload == "last" { break }
            }
            #expect(heard.last == "last")
        }
    }
}
