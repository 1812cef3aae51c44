import DevStack
import TestSupport
import Testing

@Suite("The server the tests share")
struct SharedServerTests {
    @Test("gives each test a database of its own and drops it afterwards")
    func ownDatabase() async throws {
        let server = try await PostgresServer.shared()
        let name = try await PostgresServer.withDatabase { database in
            _ = try await database.execute("CREATE TABLE mine (n int)")
            #expect(try await database.execute("SELECT count(*) FROM mine") == "0")
            try await PostgresServer.withDatabase { other in
                #expect(other.name != database.name)
                await #expect(throws: DevStackError.self) { try await other.execute("SELECT * FROM mine") }
            }
            return database.name
        }
        #expect(try await server.instance.execute("SELECT count(*) FROM pg_database WHERE datname = '\(name)'") == "0")
    }

    @Test("copies a template that is filled once, however many ask at the same time")
    func template() async throws {
        let filled = DatabaseTemplate("counted") { address in
            let server = try await PostgresServer.shared()
            // A second filling would find the table and fail.
            _ = try await server.instance.execute("CREATE TABLE stock (n int)", database: address.database)
            _ = try await server.instance.execute("INSERT INTO stock VALUES (7)", database: address.database)
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await PostgresServer.withDatabase(filled) { try await $0.execute("SELECT n FROM stock") }
                }
            }
            for try await answer in group { #expect(answer == "7") }
        }
    }

    @Test("drops the database of a test that fails")
    func droppedOnFailure() async throws {
        struct Failure: Error {}
        var name = ""
        await #expect(throws: Failure.self) {
            try await PostgresServer.withDatabase { database in
                name = database.name
                throw Failure()
            }
        }
        let server = try await PostgresServer.shared()
        #expect(try await server.instance.execute("SELECT count(*) FROM pg_database WHERE datname = '\(name)'") == "0")
    }
}
