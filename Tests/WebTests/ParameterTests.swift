import Kernel
import Testing
import Web

@Suite("Parameters and pages")
struct ParameterTests {
    @Test("parameters that are absent take their defaults, and given ones their values")
    func values() async throws {
        try await withServer { server in
            _ = try await server.call("GET", "/api/v1/things")
            #expect(server.store.now.asked?.depth == 2)
            #expect(server.store.now.asked?.colour == nil)
            _ = try await server.call("GET", "/api/v1/things?colour=gr%65en&depth=5&limit=100")
            #expect(server.store.now.asked?.depth == 5)
            #expect(server.store.now.asked?.colour == .green)
        }
    }

    @Test(
        "a parameter that is wrong, repeated or unknown is refused by name",
        arguments: [
            ("colour=pink", ["colour"]), ("colour=", ["colour"]), ("depth=6", ["depth"]), ("depth=1.0", ["depth"]),
            ("depth=two", ["depth"]), ("depth=%222%22", ["depth"]), ("limit=0", ["limit"]), ("limit=101", ["limit"]),
            ("limit=-1", ["limit"]), ("limit=ten", ["limit"]), ("limit=99999999999999999999", ["limit"]),
            ("limit=1&limit=2", ["limit"]), ("page=2", ["page"]), ("Limit=2", ["Limit"]),
            ("cursor=", ["cursor"]), ("cursor=abc", ["cursor"]), ("x=1&colour=pink&limit=0", ["x", "colour", "limit"]),
        ])
    func refused(query: String, names: [String]) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things?\(query)")
            #expect(answer.status == 400)
            #expect(try answer.problem == "invalid-parameter")
            #expect(try answer.places == names)
        }
    }

    @Test(
        "a query on a path that takes none is refused", arguments: ["/operator?x=1", "/metrics?x=1", "/health/live?x"])
    func unwantedQuery(path: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", path, bearer: TestServer.operatorKey)
            #expect(try answer.problem == "invalid-parameter")
        }
    }

    @Test("a query that is no UTF-8 is refused", arguments: ["colour=%FF", "%C0%80=1", "colour=%1"])
    func unreadableQuery(query: String) async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things?\(query)")
            #expect(answer.status == 400)
            #expect(try answer.problem == "malformed-request")
        }
    }

    @Test("an id that is no UUID is refused, and one that nothing has is not found")
    func pathID() async throws {
        try await withServer { server in
            let odd = try await server.call("GET", "/api/v1/things/7")
            #expect(odd.status == 400)
            #expect(try odd.places == ["id"])
            let absent = try await server.call("GET", "/api/v1/things/0190a5c4-7e1b-7d3a-9f52-00000000000f")
            #expect(absent.status == 404)
            #expect(try absent.problem == "not-found")
        }
    }

    /// The names of all pages, and the cursors between them.
    private func walk(_ server: TestServer, limit: Int) async throws -> (names: [String], cursors: [String]) {
        var names: [String] = []
        var cursors: [String] = []
        var query = "?limit=\(limit)"
        while true {
            let answer = try await server.call("GET", "/api/v1/things\(query)")
            let json = try answer.json
            names += (json["items"]?.elements ?? []).compactMap { $0["name"]?.string }
            guard let cursor = json["nextCursor"]?.string else { return (names, cursors) }
            cursors.append(cursor)
            query = "?limit=\(limit)&cursor=\(cursor)"
        }
    }

    private func fill(_ server: TestServer, _ count: Int) async throws {
        for number in 0..<count {
            let thing = Thing(id: IdentifierSource.system.next(), name: "thing-\(number)", version: 1)
            server.store.add(thing)
        }
    }

    @Test("pages follow one another without gap or repetition", arguments: [1, 2, 3, 6, 7])
    func pages(limit: Int) async throws {
        try await withServer { server in
            try await fill(server, 6)
            let (names, cursors) = try await walk(server, limit: limit)
            #expect(names == (0..<6).map { "thing-\($0)" })
            #expect(cursors.count == (6 - 1) / limit)
        }
    }

    @Test("a cursor that was changed anywhere is refused")
    func tampered() async throws {
        try await withServer { server in
            try await fill(server, 3)
            let cursor = try #require(try await walk(server, limit: 2).cursors.first)
            var forgeries = [cursor + "A", String(cursor.dropLast()), cursor + "=", cursor.uppercased()]
            for index in stride(from: 0, to: cursor.count, by: 7) {
                var characters = Array(cursor)
                characters[index] = characters[index] == "A" ? "B" : "A"
                forgeries.append(String(characters))
            }
            for forgery in forgeries {
                let answer = try await server.call("GET", "/api/v1/things?cursor=\(forgery)")
                #expect(answer.status == 400, "\(forgery)")
                #expect(try answer.places == ["cursor"])
            }
        }
    }

    @Test("a cursor of one list is refused by another")
    func foreignCursor() async throws {
        try await withServer { server in
            try await fill(server, 3)
            let cursor = try #require(try await walk(server, limit: 2).cursors.first)
            let answer = try await server.call("GET", "/api/v1/other-things?cursor=\(cursor)")
            #expect(try answer.places == ["cursor"])
        }
    }

    @Test("a cursor outlives the server that gave it out")
    func restart() async throws {
        let cursor = Exchanged<String?>(nil)
        try await withServer { server in
            try await fill(server, 3)
            let (_, cursors) = try await walk(server, limit: 2)
            cursor.value = cursors.first
        }
        try await withServer { server in
            let answer = try await server.call("GET", "/api/v1/things?cursor=\(try #require(cursor.value))")
            #expect(answer.status == 200)
        }
    }
}
