import DevStack
import Foundation
import TestSupport
import Testing

@Suite("The user the servers run as")
struct UserTests {
    @Test("is postgres when Atrium runs as root", .enabled(if: SystemUser.isRoot))
    func root() async throws {
        try await PostgresServer.withDedicated(replica: true) { cluster in
            for server in [cluster.primary, cluster.replica] {
                let number = try #require(server?.processID)
                let lines = try whole("/proc/\(number)/status").split(separator: "\n")
                let user = try #require(SystemUser(named: "postgres"))
                #expect(lines.contains("Uid:\t\(user.userID)\t\(user.userID)\t\(user.userID)\t\(user.userID)"))
                #expect(lines.contains("Gid:\t\(user.groupID)\t\(user.groupID)\t\(user.groupID)\t\(user.groupID)"))
            }
        }
    }

    @Test("is an ordinary user when Atrium runs as one", .enabled(if: SystemUser.isRoot))
    func ordinary() async throws {
        let nobody = try #require(SystemUser(named: "nobody"))
        let folder = try await TestFolder.make()
        let home = "\(folder.path)/home"
        mkdir(home, 0o700)
        chown(home, nobody.userID, nobody.groupID)
        await #expect(processExitsWith: .success) {
            [home = home as String, user = nobody.userID as UInt32, group = nobody.groupID as UInt32] in
            setgroups(0, nil)
            setgid(group)
            setuid(user)
            let cluster = try await EmbeddedPostgres.start(
                EmbeddedPostgres.Configuration(directory: "\(home)/postgres", withReplica: true, durable: false))
            let server = try #require(cluster.primary.processID)
            #expect(try whole("/proc/\(server)/status").contains("Uid:\t\(user)\t\(user)"))
            #expect(try await cluster.primary.execute("SELECT count(*) FROM pg_stat_replication") == "1")
            try await cluster.stop()
        }
        #expect(rights("\(home)/postgres") == 0o700)
        try await folder.remove()
    }

    @Test("gets data in a place it can reach when the asked one is closed to it", .enabled(if: SystemUser.isRoot))
    func unreachable() async throws {
        let folder = try await TestFolder.make()
        let closed = "\(folder.path)/closed"
        mkdir(closed, 0o700)
        let asked = "\(closed)/.atrium/postgres"
        let configuration = EmbeddedPostgres.Configuration(directory: asked, durable: false)
        do {
            let cluster = try await EmbeddedPostgres.start(configuration)
            _ = try await cluster.primary.execute("CREATE TABLE kept (n int)")
            try await cluster.stop()
        }
        let place = try FileManager.default.destinationOfSymbolicLink(atPath: asked)
        #expect(place.hasPrefix("/var/lib/atrium-dev/"))
        #expect(rights(place) == 0o700)
        let cluster = try await EmbeddedPostgres.start(configuration)
        #expect(try await cluster.primary.execute("SELECT count(*) FROM kept") == "0")
        try await cluster.remove()
        #expect(access(place, F_OK) != 0)
        #expect(access(asked, F_OK) != 0)
        try await folder.remove()
    }

    @Test("must be able to reach data that is there already", .enabled(if: SystemUser.isRoot))
    func closedLater() async throws {
        let folder = try await TestFolder.make()
        let home = "\(folder.path)/home"
        mkdir(home, 0o755)
        let configuration = EmbeddedPostgres.Configuration(directory: "\(home)/postgres", durable: false)
        do {
            let cluster = try await EmbeddedPostgres.start(configuration)
            try await cluster.stop()
        }
        chmod(home, 0o700)
        let error = await #expect(throws: DevStackError.self) { try await EmbeddedPostgres.start(configuration) }
        #expect(error?.code == .folderUnreachable)
        #expect(error?.message.contains("chmod o+x") == true)
        try await folder.remove()
    }

    @Test("leaves the password to nobody else")
    func secrets() async throws {
        let folder = try await TestFolder.make()
        let cluster = try await EmbeddedPostgres.start(
            EmbeddedPostgres.Configuration(directory: "\(folder.path)/postgres", durable: false))
        #expect(rights("\(folder.path)/postgres") == 0o700)
        for name in ["password", "pgpass", "primary/postgresql.conf", "primary/pg_hba.conf", "primary/server.log"] {
            #expect(rights("\(folder.path)/postgres/\(name)") == 0o600, "\(name)")
        }
        let password = try whole("\(folder.path)/postgres/password").trimmingCharacters(in: .newlines)
        #expect(password.count == 32)
        #expect(cluster.primary.address.password == password)
        #expect(!"\(cluster.primary.address)".contains(password))
        try await cluster.remove()
        try await folder.remove()
    }
}
