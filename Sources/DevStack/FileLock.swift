import Foundation

/// An exclusive lock on a file, which the kernel lets go when the process ends, however it ends.
package final class FileLock: Sendable {
    private let descriptor: Int32

    private init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    package enum Attempt {
        case taken(FileLock)
        /// The process number the holder wrote down.
        case heldBy(Int32?)
    }

    package static func take(_ path: String) throws -> Attempt {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw folderError("open the lock file", path) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            defer { close(descriptor) }
            var text = [UInt8](repeating: 0, count: 32)
            let count = text.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
            let words = String(decoding: text.prefix(max(count, 0)), as: UTF8.self)
            return .heldBy(Int32(words.trimmingCharacters(in: .whitespacesAndNewlines)))
        }
        ftruncate(descriptor, 0)
        let own = Array("\(getpid())\n".utf8)
        _ = own.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        return .taken(FileLock(descriptor: descriptor))
    }

    deinit {
        // Closing alone would leave the lock with a program that another thread is starting at this moment: between its
        // fork and its exec it has the file too.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }
}

/// Tells what could not be done to a file or folder and what that means for the person at the terminal.
func folderError(_ what: String, _ path: String, _ number: Int32 = errno) -> DevStackError {
    let reason = String(cString: strerror(number))
    switch number {
    case ENOSPC, EDQUOT:
        return DevStackError(.diskFull, "Could not \(what) \(path): the disk is full. Free space and start again.")
    case EACCES, EPERM:
        return DevStackError(
            .folderUnusable,
            """
            Could not \(what) \(path): \(reason). It belongs to another user (was Atrium started as root before?): \
            remove it as that user, or use another folder.
            """)
    default:
        return DevStackError(
            .folderUnusable, "Could not \(what) \(path): \(reason). Mend or remove it, and start again.")
    }
}
