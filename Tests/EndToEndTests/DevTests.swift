import DevStack
import Foundation
import TestSupport
import Testing

/// `atrium dev` as a newcomer runs it, with its own PostgreSQL and broker.
@Suite("atrium dev", .showsPrograms)
struct DevTests {
    private struct Newcomer: Sendable {
        let folder: TestFolder
        let port: Int

        var state: String { "\(folder.path)/state" }

        var environment: [String: String] {
            [
                "ATRIUM_DEV_FOLDER": state, "ATRIUM_PORT": String(port),
                "ATRIUM_SCHEMAS": Places.packageRoot.appending(path: "schemas").path(),
            ]
        }

        func start(_ arguments: [String] = []) async throws -> AtriumProcess {
            try await AtriumProcess.start(
                ["dev"] + arguments, environment: environment, readyWhen: .line("Atrium is ready"))
        }

        func settings() throws -> [String: String] {
            let text = try String(contentsOfFile: "\(state)/dev.env", encoding: .utf8)
            var settings: [String: String] = [:]
            for line in text.split(separator: "\n") where line.contains("=") {
                let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = String(parts[0]).replacing("export ", with: "")
                settings[name] = parts[1].trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
            }
            return settings
        }
    }

    private static func with(_ body: @Sendable (Newcomer) async throws -> Void) async throws {
        let folder = try await TestFolder.make()
        do {
            try await body(Newcomer(folder: folder, port: try FreePort.find()))
        } catch {
            try? await EmbeddedPostgres.remove("\(folder.path)/state/postgres")
            try? await folder.remove()
            throw error
        }
        try await EmbeddedPostgres.remove("\(folder.path)/state/postgres")
        try await folder.remove()
    }

    @Test("is ready for the walk, keeps its state over a restart and a crash, and leaves no process")
    func life() async throws {
        try await Self.with { newcomer in
            let first = try await newcomer.start()
            let walk = try await Shell.run(
                "examples/walkthrough.sh", environment: ["ATRIUM_ENV": "\(newcomer.state)/dev.env"])
            #expect(walk.contains("The walk is done"), "\(walk)")
            let settings = try newcomer.settings()
            let tenant = HTTP("http://127.0.0.1:\(newcomer.port)").authorized(settings["ATRIUM_TENANT_1_KEY"] ?? "")
            #expect(try await tenant.get("/api/v1/orders")["items"]?.array?.count == 1)

            let consumer = try await Python.run(
                script: "examples/python-consumer/watch.py",
                ["--from-beginning", "--max", "8", "--json"],
                environment: ["ATRIUM_KAFKA": settings["ATRIUM_KAFKA"] ?? ""])
            #expect(consumer.output.contains("orders.order.placed.v1"), "\(consumer)")

            let stopping = ContinuousClock.now
            #expect(try await first.terminate() == .exited(0))
            #expect(stopping.duration(to: .now) < .seconds(10))
            #expect(try Self.processes(in: newcomer.state).isEmpty)

            let second = try await newcomer.start()
            #expect(try newcomer.settings()["ATRIUM_TENANT_1_KEY"] == settings["ATRIUM_TENANT_1_KEY"])
            #expect(try await tenant.get("/api/v1/orders")["items"]?.array?.count == 1)
            try await second.kill()

            let third = try await newcomer.start()
            #expect(try await tenant.get("/api/v1/orders")["items"]?.array?.count == 1)
            _ = try await third.terminate()
            #expect(try Self.processes(in: newcomer.state).isEmpty)
        }
    }

    @Test("starts over when asked to")
    func reset() async throws {
        try await Self.with { newcomer in
            _ = try await newcomer.start().terminate()
            let before = try newcomer.settings()["ATRIUM_OPERATOR_KEY"]
            _ = try await newcomer.start(["--reset"]).terminate()
            let after = try newcomer.settings()["ATRIUM_OPERATOR_KEY"]
            #expect(before != nil && after != nil && before != after)
        }
    }

    @Test("says what to do when its port is taken, or its folder in use")
    func taken() async throws {
        try await Self.with { newcomer in
            let running = try await newcomer.start()
            for (environment, words) in [
                (
                    newcomer.environment.merging(["ATRIUM_DEV_FOLDER": "\(newcomer.folder.path)/other"]) { $1 },
                    "is taken"
                ),
                (
                    newcomer.environment.merging(["ATRIUM_PORT": String(try FreePort.find())]) { $1 },
                    "Another `atrium dev`"
                ),
            ] {
                let refused = try await AtriumProcess.start(["dev"], environment: environment, readyWhen: .none)
                #expect(try await refused.waitForExit() != .exited(0))
                _ = try await refused.line(containing: "\u{0}")
                let output = refused.output.joined(separator: "\n")
                #expect(output.contains(words), "\(output)")
            }
            _ = try await running.terminate()
        }
    }

    /// Processes whose command line names the folder.
    private static func processes(in folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "/proc").filter { Int($0) != nil }.compactMap { id in
            guard let line = FileManager.default.contents(atPath: "/proc/\(id)/cmdline") else { return nil }
            let text = String(decoding: line, as: UTF8.self)
            return text.contains(folder) ? text : nil
        }
    }
}
