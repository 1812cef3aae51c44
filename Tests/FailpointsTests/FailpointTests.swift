import Foundation
import Testing

@testable import Failpoints

@Suite("Failpoints")
struct FailpointTests {
    @Test("say by name, action, first visit and count what is to happen where")
    func parsing() throws {
        let orders = try Armed.parse("relay.after-produce=kill@3, inbox.before-commit=error@2x5 ,a=delay:250,b=error")
        #expect(orders["relay.after-produce"] == Armed.Order(action: .kill, firstVisit: 3, count: 1))
        #expect(orders["inbox.before-commit"] == Armed.Order(action: .error, firstVisit: 2, count: 5))
        #expect(orders["a"] == Armed.Order(action: .delay(milliseconds: 250), firstVisit: 1, count: .max))
        #expect(orders["b"] == Armed.Order(action: .error, firstVisit: 1, count: .max))
        #expect(orders.count == 4)
    }

    @Test(
        "that are not understood are refused",
        arguments: [
            "a", "a=", "=kill", "a=explode", "a=kill@", "a=kill@x2", "a=error x", "a=delay", "a=delay:", "a=delay:-1",
            "a=delay:1s", "A=kill", "a_b=kill", "a=kill;b=kill", "a=kill@1,b", "a=delay:1234567",
        ])
    func refusals(_ text: String) {
        #expect(throws: FailpointSyntaxError.self) { try Armed(text, log: nil) }
    }

    @Test("name the part that is not understood")
    func message() {
        #expect(throws: FailpointSyntaxError(part: "b=explode")) { try Armed.parse("a=kill,b=explode") }
        #expect("\(FailpointSyntaxError(part: "b=explode"))".contains("“b=explode”"))
    }

    @Test("begin with the visit named, happen as often as told, and leave other places alone")
    func counting() async throws {
        let armed = try Armed("a=error@3x2", log: nil)
        var thrown: [Int] = []
        for visit in 1...6 {
            try await armed.reach("b")
            do { try await armed.reach("a") } catch is FailpointError { thrown.append(visit) }
        }
        #expect(thrown == [3, 4])
    }

    @Test("without a count happen at every visit")
    func unbounded() async throws {
        let armed = try Armed("a=error", log: nil)
        for _ in 1...5 { await #expect(throws: FailpointError.self) { try await armed.reach("a") } }
    }

    @Test("count visits once each, however many come at once")
    func concurrency() async throws {
        let armed = try Armed("a=error@51x10", log: nil)
        let thrown = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<100 {
                group.addTask { await (try? armed.reach("a")) == nil ? 1 : 0 }
            }
            return await group.reduce(0, +)
        }
        #expect(thrown == 10)
    }

    @Test("that delay, delay")
    func delay() async throws {
        let armed = try Armed("a=delay:60x1", log: nil)
        let before = ContinuousClock.now
        try await armed.reach("a")
        #expect(before.duration(to: .now) >= .milliseconds(60))
    }

    @Test("leave a line in the log for each that went off, and none for the others")
    func log() async throws {
        try await withLog { path in
            let armed = try Armed("a=error@2x2,b=delay:1", log: path)
            for _ in 1...4 { try? await armed.reach("a") }
            try await armed.reach("b")
            try await armed.reach("c")
            let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { String($0) }
            let process = getpid()
            #expect(lines == ["a error 2 \(process)", "a error 3 \(process)", "b delay(milliseconds: 1) 1 \(process)"])
        }
    }

    @Test("that kill leave their line first, and take the process with SIGKILL")
    func kill() async throws {
        let ended = try await #require(
            processExitsWith: .signal(SIGKILL), observing: [\.standardOutputContent]
        ) {
            let armed = try Armed("a=kill@2", log: "/dev/stdout")
            try await armed.reach("a")
            print("alive")
            fflush(nil)
            try await armed.reach("a")
        }
        let lines = String(decoding: ended.standardOutputContent, as: UTF8.self).split(separator: "\n")
        let alive = try #require(lines.firstIndex(of: "alive"))
        #expect(lines.firstIndex { $0.hasPrefix("a kill 2 ") } == alive + 1, "\(lines)")
    }

    @Test("are armed by the environment")
    func environment() async {
        await #expect(processExitsWith: .signal(SIGKILL)) {
            setenv("ATRIUM_FAILPOINTS", "b=kill", 1)
            try await Failpoint.reach("a")
            try await Failpoint.reach("b")
        }
    }

    @Test("that are misspelt in the environment end the program at the first place it comes to")
    func misspelt() async throws {
        let ended = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            setenv("ATRIUM_FAILPOINTS", "b=explode", 1)
            try await Failpoint.reach("a")
        }
        #expect(String(decoding: ended.standardErrorContent, as: UTF8.self).contains("“b=explode” is not"))
    }

    @Test("do nothing where none are armed")
    func unarmed() async {
        await #expect(processExitsWith: .success) {
            unsetenv("ATRIUM_FAILPOINTS")
            try await Failpoint.reach("a")
        }
    }

    private func withLog(_ body: (String) async throws -> Void) async throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "failpoints-\(UUID().uuidString)").path()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await body(path)
    }
}
