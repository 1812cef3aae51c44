import DevStack
import Foundation
import Postgres
import TestSupport
import Testing

@Suite("At its start")
struct StartTests {
    private static func failing(_ environment: [String: String], _ arguments: [String] = ["serve"]) async throws
        -> String
    {
        let process = try await AtriumProcess.start(arguments, environment: environment, readyWhen: .none)
        let exit = try await process.waitForExit()
        #expect(exit != .exited(0))
        // Reads to the end of what it printed.
        _ = try await process.line(containing: "\u{0}")
        return process.output.joined(separator: "\n")
    }

    @Test("the server lists every mistake of its configuration at once, and no secret")
    func mistakes() async throws {
        let output = try await Self.failing([
            "ATRIUM_DATABASE_URL": "nonsense", "ATRIUM_PORT": "70000", "ATRIUM_OPERATOR_KEY": "hunter2",
            "ATRIUM_LOG_LEVEL": "loud", "ATRIUM_ROLES": "http,sing", "ATRIUM_DATABSE_URL": "x",
        ])
        for part in [
            "ATRIUM_DATABASE_URL is not a PostgreSQL URL", "ATRIUM_PORT is not a whole number from 1 to 65535",
            "ATRIUM_KAFKA_BOOTSTRAP_SERVERS is missing", "ATRIUM_OPERATOR_KEY has 7 characters",
            "ATRIUM_SECRET is missing", "ATRIUM_LOG_LEVEL is “loud”", "ATRIUM_ROLES names “sing”",
            "ATRIUM_DATABSE_URL is no setting",
        ] { #expect(output.contains(part), "\(part)\n\(output)") }
        #expect(!output.contains("hunter2"))
    }

    @Test("the server refuses a database whose login could see everything, and says what to change")
    func unsafeDatabase() async throws {
        try await Stack.with { stack in
            var environment = stack.environment()
            environment["ATRIUM_DATABASE_URL"] = stack.database.url
            let output = try await Self.failing(environment)
            #expect(output.contains("refusing to serve") && output.contains("is a superuser"), "\(output)")
        }
    }

    @Test("the server refuses a tenant table without forced row security")
    func unfencedTable() async throws {
        try await Stack.with { stack in
            try await stack.execute("ALTER TABLE orders.orders NO FORCE ROW LEVEL SECURITY")
            let output = try await Self.failing(stack.environment())
            #expect(output.contains("orders.orders does not force row security"), "\(output)")
        }
    }

    @Test("the server names the setting of a database or broker that it can't come to terms with")
    func unreachable() async throws {
        try await Stack.with { stack in
            var environment = stack.environment()
            environment["ATRIUM_DATABASE_URL"] = stack.database.user("atrium_app", password: "wrong").url
            let output = try await Self.failing(environment)
            #expect(output.contains("correct ATRIUM_DATABASE_URL") && !output.contains("wrong"), "\(output)")
        }
    }

    @Test("a configuration file counts where the environment says nothing")
    func file() async throws {
        let folder = try await TestFolder.make()
        let file = "\(folder.path)/atrium.json"
        try #"{"port": 99999, "log": {"level": "loud"}}"#.write(toFile: file, atomically: true, encoding: .utf8)
        let output = try await Self.failing(["ATRIUM_LOG_LEVEL": "info"], ["serve", "--config", file])
        #expect(output.contains("ATRIUM_PORT is not a whole number"), "\(output)")
        #expect(!output.contains("loud"))
        let missing = try await Self.failing([:], ["serve", "--config", "\(folder.path)/none.json"])
        #expect(missing.contains("none.json can't be read"), "\(missing)")
        try await folder.remove()
    }
}
