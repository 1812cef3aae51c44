import DevStack
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("The folder of `atrium dev`")
struct DevDirectoryTests {
    @Test("belongs to one at a time, and says to whom")
    func lock() async throws {
        let folder = try await TestFolder.make()
        let path = "\(folder.path)/.atrium"
        let first = try DevDirectory.open(path)
        let error = #expect(throws: DevStackError.self) { try DevDirectory.open(path) }
        #expect(error?.code == .folderInUse)
        #expect(error?.message.contains("kill \(getpid())") == true)
        first.close()
        try DevDirectory.open(path).close()
        try await folder.remove()
    }

    @Test("is free again when its holder was killed")
    func killedHolder() async throws {
        let folder = try await TestFolder.make()
        let path = "\(folder.path)/.atrium"
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let directory = try DevDirectory.open(path)
            // A child must not keep the lock alive.
            _ = try await ChildProcess.start(Program("/bin/sleep", ["5"], deathSignal: nil))
            withExtendedLifetime(directory) { _ = kill(getpid(), SIGKILL) }
        }
        try DevDirectory.open(path).close()
        try await folder.remove()
    }

    @Test("keeps dev.env so that a shell reads every value as it was, and others cannot read it")
    func environment() async throws {
        let folder = try await TestFolder.make()
        let directory = try DevDirectory.open("\(folder.path)/.atrium")
        let odd = "it's $HOME `id` \"x\" \\ #"
        try directory.writeEnvironment([("ATRIUM_URL", "http://127.0.0.1:8080"), ("ODD", odd)])
        try directory.writeEnvironment([("ATRIUM_URL", "http://127.0.0.1:8081"), ("ODD", odd)])
        #expect(rights(directory.environmentFile) == 0o600)
        let answer = try await ChildProcess.run(
            Program(
                "/bin/sh", ["-c", ". \"$1\"; printf '%s|%s' \"$ATRIUM_URL\" \"$ODD\"", "sh", directory.environmentFile])
        )
        #expect(answer.output == "http://127.0.0.1:8081|\(odd)")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["dev.env", "lock", "logs"])
        directory.close()
        try await folder.remove()
    }

    @Test("is emptied by a reset, a running server of a killed run included, and stays locked")
    func reset() async throws {
        let folder = try await TestFolder.make()
        let directory = try DevDirectory.open("\(folder.path)/.atrium")
        do {
            let cluster = try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(directory: directory.postgres, durable: false))
            await #expect(throws: DevStackError.self, "the cluster runs") { try await directory.reset() }
            try await cluster.stop()
        }
        let orphan = try await startOrphan(directory.postgres)
        try directory.writeEnvironment([("A", "b")])
        try await directory.reset()
        #expect(!orphan.isRunning)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() == ["lock", "logs"])
        #expect(throws: DevStackError.self) { try DevDirectory.open(directory.path) }
        directory.close()
        try await folder.remove()
    }

    @Test("of another user is refused with what to do", .enabled(if: SystemUser.isRoot))
    func foreign() async throws {
        let nobody = try #require(SystemUser(named: "nobody"))
        let folder = try await TestFolder.make()
        let path = "\(folder.path)/.atrium"
        try DevDirectory.open(path).close()
        await #expect(processExitsWith: .success) {
            [path = path as String, user = nobody.userID as UInt32, group = nobody.groupID as UInt32] in
            setgroups(0, nil)
            setgid(group)
            setuid(user)
            let error = #expect(throws: DevStackError.self) { try DevDirectory.open(path) }
            #expect(error?.message.contains("belongs to another user") == true)
        }
        try await folder.remove()
    }

    @Test("shows each step with its time, and the one that failed")
    func steps() async throws {
        struct Failure: Error {}
        let told = Mutex("")
        let steps = StepPrinter(isTerminal: false) { text in told.withLock { $0 += text } }
        #expect(try await steps.step("First") { 7 } == 7)
        steps.note("by the way")
        await #expect(throws: Failure.self) { try await steps.step("Second") { throw Failure() } }
        let lines = told.withLock { $0 }.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines[0].contains("✓ First") && lines[0].hasSuffix(" s"))
        #expect(lines[1].contains("by the way"))
        #expect(lines[2].contains("✗ Second"))
    }

    @Test("finds ports nobody listens on")
    func ports() throws {
        let occupied = try OccupiedPort()
        #expect(!FreePort.isFree(occupied.port))
        let free = try FreePort.find()
        #expect(free != occupied.port)
        #expect(FreePort.isFree(free))
    }
}
