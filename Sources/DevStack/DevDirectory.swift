import Foundation
import Synchronization

/// The folder `.atrium`, where `atrium dev` keeps everything it makes, for one running `atrium dev` at a time.
package final class DevDirectory: Sendable {
    package let path: String
    private let lock: Mutex<FileLock?>

    private init(path: String, lock: FileLock) {
        self.path = path
        self.lock = Mutex(lock)
    }

    package var postgres: String { "\(path)/postgres" }
    package var logs: String { "\(path)/logs" }
    package var environmentFile: String { "\(path)/dev.env" }

    /// Makes the folder where it lacks and takes its lock, or says who has it.
    package static func open(_ path: String) throws -> DevDirectory {
        let absolute = path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
        let standard = (absolute as NSString).standardizingPath
        // The database's user passes through here when Atrium runs as root; secrets have rights of their own.
        try makeFolder(standard, mode: SystemUser.isRoot ? 0o755 : 0o700)
        switch try FileLock.take("\(standard)/lock") {
        case .heldBy(let process):
            let who = process.map { "process \($0)" } ?? "another process"
            throw DevStackError(
                .folderInUse,
                """
                Another `atrium dev` (\(who)) is using \(standard). Stop it\(process.map { " (kill \($0))" } ?? ""), or \
                start this one in another folder.
                """)
        case .taken(let lock):
            let directory = DevDirectory(path: standard, lock: lock)
            try makeFolder(directory.logs, mode: 0o700)
            return directory
        }
    }

    /// Writes `dev.env`: lines a shell can source, for its owner's eyes only.
    package func writeEnvironment(_ values: [(name: String, value: String)]) throws {
        let lines = values.map { "\($0.name)='\($0.value.replacing("'", with: "'\\''"))'" }
        try writeFile(lines.joined(separator: "\n") + "\n", to: environmentFile, mode: 0o600)
    }

    /// Removes all but the lock; servers a killed run left are stopped first.
    package func reset() async throws {
        try await EmbeddedPostgres.remove(postgres)
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw folderError("read", path, EACCES)
        }
        for name in names where name != "lock" { try removeTree("\(path)/\(name)") }
        try makeFolder(logs, mode: 0o700)
    }

    /// Lets the next `atrium dev` have the folder.
    package func close() {
        lock.withLock { $0 = nil }
    }
}
