import DevStack
import Foundation
import TestSupport
import Testing

@Suite("What a killed test run leaves")
struct LeftoverTests {
    @Test("is removed by the next run, servers included; folders in use stay")
    func sweep() async throws {
        let folder = try await TestFolder.make()
        let dead = "\(folder.path)/atrium-test-dead01"
        let living = "\(folder.path)/atrium-test-living"
        let foreign = "\(folder.path)/somebody-elses"
        for path in [dead, living, foreign] { mkdir(path, 0o755) }
        for path in [dead, foreign] { try "".write(toFile: "\(path)/lock", atomically: false, encoding: .utf8) }
        guard case .taken(let lock) = try FileLock.take("\(living)/lock") else { return #expect(Bool(false)) }
        do {
            let cluster = try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(directory: "\(dead)/postgres", durable: false))
            try await cluster.stop()
        }
        let orphan = try await startOrphan("\(dead)/postgres")
        await TestFolder.removeLeftovers(in: folder.path)
        #expect(!orphan.isRunning)
        #expect(access(dead, F_OK) != 0)
        #expect(access(living, F_OK) == 0)
        #expect(access(foreign, F_OK) == 0)
        withExtendedLifetime(lock) {}
        try await folder.remove()
    }

    @Test("is no server, and after an orderly end no folder either")
    func sharedServer() async throws {
        let folder = try await TestFolder.make()
        let place = folder.path
        for killed in [false, true] {
            // The folder stands for /tmp, for which the shared server asks TMPDIR.
            await #expect(processExitsWith: killed ? .signal(SIGKILL) : .exitCode(7)) {
                [place = place as String, killed = killed as Bool] in
                setenv("TMPDIR", place, 1)
                let server = try await PostgresServer.shared()
                let number = try #require(server.instance.processID)
                try "\(number)".write(toFile: "\(place)/number", atomically: true, encoding: .utf8)
                if killed { kill(getpid(), SIGKILL) }
                exit(7)
            }
            let number = try #require(Int32(try whole("\(place)/number")))
            try await Waiting.until("the server has ended") { !isAlive(number) }
            let left = try FileManager.default.contentsOfDirectory(atPath: place).filter {
                $0.hasPrefix("atrium-test-")
            }
            #expect(left.count == (killed ? 1 : 0))
        }
        await TestFolder.removeLeftovers(in: place)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place).sorted() == ["lock", "number"])
        try await folder.remove()
    }
}
