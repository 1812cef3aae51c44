import DevStack
import Foundation
import TestSupport
import Testing

/// Runs scripts/bootstrap.sh on machines that lack things, made of a PATH that shows only some programs.
@Suite("The bootstrap script")
struct BootstrapTests {
    private static let ordinary = [
        "bash", "env", "sed", "sort", "head", "tail", "id", "grep", "mktemp", "rm", "cat", "dirname", "mv", "cp", "cmp",
        "mkdir", "setpriv",
    ]

    /// A folder for the PATH with the ordinary programs and these scripts.
    private func machine(_ folder: TestFolder, _ scripts: [String: String]) async throws -> String {
        let path = "\(folder.path)/bin"
        try? FileManager.default.removeItem(atPath: path)
        mkdir(path, 0o755)
        for name in Self.ordinary {
            let real = try #require(Program.find(name), "\(name)")
            try FileManager.default.createSymbolicLink(atPath: "\(path)/\(name)", withDestinationPath: real)
        }
        for (name, text) in scripts {
            // Written by a program of its own: while this process has a script open for writing, a program that another
            // test starts at that moment has it open too, and the kernel then refuses to run it.
            let writing = try await ChildProcess.run(
                Program(
                    "/bin/sh", ["-c", "cat > \"$1\" && chmod 755 \"$1\"", "sh", "\(path)/\(name)"],
                    input: Array("#!/bin/sh\n\(text)\n".utf8)))
            try #require(writing.status.isSuccess, "\(writing.errors)")
        }
        return path
    }

    /// Runs a copy, which any user can reach, wherever the checkout lies.
    private func bootstrap(
        in folder: TestFolder, path: String, as user: SystemUser? = nil, _ options: [String] = []
    ) async throws -> ProgramOutput {
        let temporary = "\(folder.path)/tmp"
        mkdir(temporary, 0o777)
        chmod(temporary, 0o777)
        let scripts = "\(folder.path)/checkout/scripts"
        try FileManager.default.createDirectory(atPath: scripts, withIntermediateDirectories: true)
        let script = Places.packageRoot.appending(path: "scripts/bootstrap.sh").path()
        try FileManager.default.copyItem(atPath: script, toPath: "\(scripts)/bootstrap.sh")
        return try await ChildProcess.run(
            Program(
                "/bin/bash", ["\(scripts)/bootstrap.sh"] + options, environment: ["PATH": path, "TMPDIR": temporary],
                as: user))
    }

    private let swift = "echo 'Swift version 6.3.1 (swift-6.3.1-RELEASE)'"
    private let onlyPostgres = "case \"$*\" in *libpq*) exit 0;; esac; exit 1"

    @Test("is silent and changes nothing when nothing lacks")
    func nothingLacks() async throws {
        let folder = try await TestFolder.make()
        let apt = "echo \"$@\" >> \(folder.path)/apt; exit 1"
        let path = try await machine(folder, ["swift": swift, "pkg-config": "exit 0", "apt-get": apt])
        let answer = try await bootstrap(in: folder, path: path)
        #expect(answer.status.isSuccess, "\(answer.errors)")
        #expect(answer.output.isEmpty)
        #expect(access("\(folder.path)/apt", F_OK) != 0)
        try await folder.remove()
    }

    @Test("names the packages where there is no apt")
    func noApt() async throws {
        let folder = try await TestFolder.make()
        let answer = try await bootstrap(
            in: folder, path: try await machine(folder, ["swift": swift, "pkg-config": onlyPostgres]))
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("These are needed and lack: librdkafka-dev libsodium-dev\n"))
        #expect(answer.errors.contains("no apt-get"))
        try await folder.remove()
    }

    @Test("names the command to ask for where there are no rights")
    func noRights() async throws {
        let folder = try await TestFolder.make()
        let path = try await machine(folder, ["swift": swift, "pkg-config": "exit 1", "apt-get": "exit 1"])
        let nobody = SystemUser.isRoot ? SystemUser(named: "nobody") : nil
        let answer = try await bootstrap(in: folder, path: path, as: nobody)
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("You are not root"))
        #expect(answer.errors.contains("apt-get install -y libpq-dev librdkafka-dev libsodium-dev\n"))
        try await folder.remove()
    }

    @Test("uses sudo where that asks for nothing")
    func sudo() async throws {
        let folder = try await TestFolder.make()
        let calls = "\(folder.path)/calls"
        try "".write(toFile: calls, atomically: false, encoding: .utf8)
        chmod(calls, 0o666)
        let path = try await machine(
            folder,
            [
                "swift": swift, "pkg-config": onlyPostgres, "apt-get": "exit 1",
                "sudo": "case \"$1\" in -n) exit 0;; esac; echo \"$@\" >> \(calls)",
            ])
        let nobody = SystemUser.isRoot ? SystemUser(named: "nobody") : nil
        let answer = try await bootstrap(in: folder, path: path, as: nobody)
        // The stand-in installs nothing, and that does not go unseen.
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("Installed, and yet not to be found: librdkafka-dev libsodium-dev"))
        let called = try whole(calls)
        #expect(called.contains("apt-get update"))
        #expect(called.contains(" librdkafka-dev libsodium-dev\n"))
        try await folder.remove()
    }

    @Test("shows what apt said when it fails")
    func aptFails() async throws {
        let folder = try await TestFolder.make()
        let path = try await machine(
            folder,
            [
                "swift": swift, "pkg-config": onlyPostgres, "apt-get": "echo 'E: no such mirror'; exit 100",
                "sudo": "case \"$1\" in -n) exit 0;; esac; exec \"$@\"",
            ])
        let answer = try await bootstrap(in: folder, path: path)
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("E: no such mirror"))
        #expect(answer.errors.contains("If the machine is offline"))
        try await folder.remove()
    }

    @Test("says which Swift is needed where there is none, or an older one", arguments: ["", "6.2.4", "5.10"])
    func olderSwift(version: String) async throws {
        let folder = try await TestFolder.make()
        let scripts = version.isEmpty ? [:] : ["swift": "echo 'Swift version \(version) (swift-RELEASE)'"]
        let answer = try await bootstrap(in: folder, path: try await machine(folder, scripts))
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("Swift 6.3 or newer is needed"))
        #expect(answer.errors.contains(version.isEmpty ? "no swift is on the PATH" : "is \(version)."))
        #expect(answer.errors.contains("swift.org/install"))
        try await folder.remove()
    }

    @Test("shows why a Swift that is there does not run", arguments: ["exit 127", "exit 0"])
    func brokenSwift(end: String) async throws {
        let folder = try await TestFolder.make()
        let path = try await machine(folder, ["swift": "echo 'libncurses.so.6: cannot open' >&2; \(end)"])
        let answer = try await bootstrap(in: folder, path: path)
        #expect(answer.status == .exited(1))
        #expect(answer.errors.contains("libncurses.so.6: cannot open"))
        #expect(answer.errors.contains("swift.org/install"))
        try await folder.remove()
    }

    @Test("takes a newer Swift", arguments: ["6.3", "6.10.1", "7.0"])
    func newerSwift(version: String) async throws {
        let folder = try await TestFolder.make()
        let path = try await machine(
            folder, ["swift": "echo 'Apple Swift version \(version) (swift)'", "pkg-config": "exit 0"])
        let answer = try await bootstrap(in: folder, path: path, ["--check"])
        #expect(answer.status.isSuccess, "\(answer.errors)")
        try await folder.remove()
    }
}
