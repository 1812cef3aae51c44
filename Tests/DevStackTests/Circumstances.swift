import DevStack
import Foundation

/// True while the process exists and is more than an entry nobody has collected.
func isAlive(_ processID: Int32) -> Bool {
    guard let line = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8) else { return false }
    return line.split(separator: ")").last?.split(separator: " ").first != "Z"
}

func whole(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

func rights(_ path: String) -> UInt32 {
    var info = stat()
    return stat(path, &info) == 0 ? info.st_mode & 0o777 : 0
}

/// Starts the primary of a stopped cluster as a killed Atrium would leave it: under no lock, with no death signal.
func startOrphan(_ directory: String) async throws -> ChildProcess {
    let primary = "\(directory)/primary"
    let orphan = try await ChildProcess.start(
        Program(
            try await PostgresBinaries.find().program("postgres"),
            ["-D", "\(primary)/data", "-c", "config_file=\(primary)/postgresql.conf"], workingDirectory: "/",
            as: SystemUser.isRoot ? SystemUser(named: "postgres") : nil, deathSignal: nil))
    guard try await orphan.waitForLine(where: { $0.contains("ready to accept") }) != nil else {
        throw DevStackError(.serverFailed, orphan.recentOutput.joined(separator: "\n"))
    }
    return orphan
}

/// Containers often forbid it.
func canMount() async throws -> Bool {
    let folder = FileManager.default.temporaryDirectory.appending(path: "atrium-mount-\(getpid())").path()
    guard mkdir(folder, 0o700) == 0 else { return false }
    defer { rmdir(folder) }
    let mount = Program("/bin/mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder])
    guard try await ChildProcess.run(mount).status.isSuccess else { return false }
    return try await ChildProcess.run(Program("/bin/umount", [folder])).status.isSuccess
}
