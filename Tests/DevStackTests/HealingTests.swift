import DevStack
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("A start after trouble")
struct HealingTests {
    private func configuration(_ folder: TestFolder, replica: Bool = false) -> EmbeddedPostgres.Configuration {
        EmbeddedPostgres.Configuration(directory: "\(folder.path)/postgres", withReplica: replica)
    }

    @Test("follows a SIGKILL of the program: no server is left over, and the committed rows are there")
    func killedProgram() async throws {
        let folder = try await TestFolder.make()
        let place = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [place = place as String] in
            let cluster = try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(directory: "\(place)/postgres", withReplica: true))
            _ = try await cluster.primary.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('safe')")
            let numbers = [cluster.primary.processID, cluster.replica?.processID].compactMap { $0.map(String.init) }
            try numbers.joined(separator: " ").write(toFile: "\(place)/numbers", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let numbers = try whole("\(place)/numbers").split(separator: " ").compactMap { Int32($0) }
        #expect(numbers.count == 2)
        try await Waiting.until("both servers have ended", within: .seconds(10)) { !numbers.contains(where: isAlive) }
        let cluster = try await EmbeddedPostgres.start(configuration(folder, replica: true))
        #expect(try await cluster.primary.execute("SELECT word FROM kept") == "safe")
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("stops the server a killed run left running")
    func orphan() async throws {
        let folder = try await TestFolder.make()
        var port = 0
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            port = cluster.primary.address.port
            try await cluster.stop()
        }
        let orphan = try await startOrphan("\(folder.path)/postgres")
        let cluster = try await EmbeddedPostgres.start(configuration(folder))
        #expect(!orphan.isRunning)
        #expect(cluster.primary.address.port == port)
        #expect(try await cluster.primary.execute("SELECT 1") == "1")
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("makes a half-made data folder anew, and says so")
    func halfMade() async throws {
        let folder = try await TestFolder.make()
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            _ = try await cluster.primary.execute("CREATE TABLE early (n int)")
            try await cluster.stop()
        }
        let primary = "\(folder.path)/postgres/primary"
        try FileManager.default.removeItem(atPath: "\(primary)/complete")
        try FileManager.default.removeItem(atPath: "\(primary)/data/global")
        let told = Mutex("")
        var again = configuration(folder)
        again.steps = StepPrinter(isTerminal: false) { text in told.withLock { $0 += text } }
        let cluster = try await EmbeddedPostgres.start(again)
        #expect(told.withLock { $0 }.contains("cut short"))
        #expect(try await cluster.primary.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'early'") == "0")
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("removes a stale postmaster.pid that names a stranger's process")
    func stalePID() async throws {
        let folder = try await TestFolder.make()
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            try await cluster.stop()
        }
        let data = "\(folder.path)/postgres/primary/data"
        // Any living process of the server's user would stop PostgreSQL from starting here.
        let stranger = try await ChildProcess.start(
            Program("/bin/sleep", ["600"], as: SystemUser.isRoot ? SystemUser(named: "postgres") : nil))
        try "\(stranger.processID)\n\(data)\n1\n5432\n\n127.0.0.1\n".write(
            toFile: "\(data)/postmaster.pid", atomically: true, encoding: .utf8)
        let cluster = try await EmbeddedPostgres.start(configuration(folder))
        #expect(try await cluster.primary.execute("SELECT 1") == "1")
        #expect(stranger.isRunning)
        stranger.send(SIGKILL)
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("copies a spoilt replica anew")
    func spoiltReplica() async throws {
        let folder = try await TestFolder.make()
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder, replica: true))
            _ = try await cluster.primary.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
            try await cluster.stop()
        }
        try FileManager.default.removeItem(atPath: "\(folder.path)/postgres/replica/data/global/pg_control")
        let cluster = try await EmbeddedPostgres.start(configuration(folder, replica: true))
        let replica = try #require(cluster.replica)
        #expect(try await replica.execute("SELECT n FROM kept") == "1")
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("copies a replica anew whose slot the primary has lost")
    func lostSlot() async throws {
        let folder = try await TestFolder.make()
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder, replica: true))
            try await cluster.replica?.stop()
            _ = try await cluster.primary.execute("SELECT pg_drop_replication_slot('atrium_replica')")
            try await cluster.stop()
        }
        let cluster = try await EmbeddedPostgres.start(configuration(folder, replica: true))
        let count = try await cluster.primary.execute(
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
        #expect(count == "1")
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("takes another port when the one of the last run is taken, and refuses a taken port that was asked for")
    func takenPort() async throws {
        let folder = try await TestFolder.make()
        var before = 0
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            before = cluster.primary.address.port
            try await cluster.stop()
        }
        let occupied = try OccupiedPort(before)
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            #expect(cluster.primary.address.port != before)
            try await cluster.stop()
        }
        var fixed = configuration(folder)
        fixed.port = occupied.port
        let error = await #expect(throws: DevStackError.self) { try await EmbeddedPostgres.start(fixed) }
        #expect(error?.code == .portTaken)
        #expect(error?.message.contains("Port \(before)") == true)
        try await folder.remove()
    }

    @Test("is refused while another runs the cluster in the folder")
    func inUse() async throws {
        let folder = try await TestFolder.make()
        let cluster = try await EmbeddedPostgres.start(configuration(folder))
        let error = await #expect(throws: DevStackError.self) {
            try await EmbeddedPostgres.start(configuration(folder))
        }
        #expect(error?.code == .folderInUse)
        #expect(error?.message.contains("process \(getpid())") == true)
        #expect(cluster.isRunning)
        try await cluster.remove()
        try await folder.remove()
    }

    @Test("says what to do when the disk is too small")
    func smallDisk() async throws {
        let folder = try await TestFolder.make()
        var demanding = configuration(folder)
        demanding.minimumFreeBytes = 1 << 60
        let early = await #expect(throws: DevStackError.self) {
            try await EmbeddedPostgres.start(demanding)
        }
        #expect(early?.code == .diskFull)
        #expect(early?.message.contains("Free space") == true)
        try await folder.remove()
    }

    @Test("says what to do when the disk fills up on the way", .enabled { try await canMount() })
    func fullDisk() async throws {
        let folder = try await TestFolder.make()
        let disk = "\(folder.path)/disk"
        mkdir(disk, 0o755)
        let mounted = try await ChildProcess.run(
            Program("/bin/mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]))
        try #require(mounted.status.isSuccess, "\(mounted.errors)")
        let configuration = EmbeddedPostgres.Configuration(directory: "\(disk)/postgres", minimumFreeBytes: 0)
        let error = await #expect(throws: DevStackError.self) { try await EmbeddedPostgres.start(configuration) }
        #expect(error?.code == .diskFull)
        #expect(error?.message.contains("is full. Free space") == true)
        _ = try await ChildProcess.run(Program("/bin/umount", [disk]))
        try await folder.remove()
    }

    @Test("says what to do when the password file is gone")
    func lostPassword() async throws {
        let folder = try await TestFolder.make()
        do {
            let cluster = try await EmbeddedPostgres.start(configuration(folder))
            try await cluster.stop()
        }
        try FileManager.default.removeItem(atPath: "\(folder.path)/postgres/password")
        let error = await #expect(throws: DevStackError.self) {
            try await EmbeddedPostgres.start(configuration(folder))
        }
        #expect(error?.message.contains("--reset") == true)
        try await folder.remove()
    }
}
