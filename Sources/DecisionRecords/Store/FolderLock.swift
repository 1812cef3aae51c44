import Foundation

/// Keeps two processes from writing to a folder at once, so that each takes a number of its own.
final class FolderLock {
    private let descriptor: Int32

    /// Waits for whoever has it.
    init(_ folder: String) throws {
        descriptor = open(folder, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw RecordError("the folder \(folder) can't be opened: \(String(cString: strerror(errno)))")
        }
        while flock(descriptor, LOCK_EX) != 0 {
            // Some network file systems have no locks; there the name of the new file still can't be taken twice.
            guard errno == EINTR else { break }
        }
    }

    deinit { close(descriptor) }
}
