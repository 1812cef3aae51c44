import DevStack
import Foundation

/// A folder under /tmp that belongs to this test process; the next process removes what a killed one left.
package final class TestFolder: Sendable {
    package let path: String
    private let lock: FileLock
    private static let prefix = "atrium-test-"
    private static let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"

    private init(path: String, lock: FileLock) {
        self.path = path
        self.lock = lock
    }

    package static func make() async throws -> TestFolder {
        _ = await sweep.value
        return try make(in: parent)
    }

    private static func make(in parent: String) throws -> TestFolder {
        var template = Array("\(parent)/\(prefix)XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw DevStackError(.folderUnusable, "No folder could be made in \(parent).")
        }
        let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        // The database's user passes through when the tests run as root.
        chmod(path, 0o755)
        guard case .taken(let lock) = try FileLock.take("\(path)/lock") else {
            throw DevStackError(.folderInUse, "\(path) was taken by another process.")
        }
        // For tests that fail before they remove it.
        ExitCleanup.add { try? FileManager.default.removeItem(atPath: path) }
        return TestFolder(path: path, lock: lock)
    }

    /// Stops what still runs in a cluster below, and removes the folder.
    package func remove() async throws {
        try await EmbeddedPostgres.remove("\(path)/postgres")
        try FileManager.default.removeItem(atPath: path)
    }

    func removeBlocking() {
        try? FileManager.default.removeItem(atPath: path)
    }

    private static let sweep = Task {
        await removeLeftovers(in: parent)
    }

    /// Removes folders of this user whose lock nobody holds any more.
    package static func removeLeftovers(in parent: String) async {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: parent)) ?? []
        for name in names where name.hasPrefix(prefix) {
            let path = "\(parent)/\(name)"
            var info = stat()
            guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == geteuid(),
                // One without a lock may be in the making at this moment.
                access("\(path)/lock", F_OK) == 0,
                case .taken(let lock)? = try? FileLock.take("\(path)/lock")
            else { continue }
            try? await EmbeddedPostgres.remove("\(path)/postgres")
            try? FileManager.default.removeItem(atPath: path)
            withExtendedLifetime(lock) {}
        }
    }
}
