import Foundation

/// Writes a whole file or nothing: readers see the old text or the new, and a crash leaves one of the two.
func writeFile(_ text: String, to path: String, mode: UInt32, owner: SystemUser? = nil) throws {
    let draft = "\(path).\(getpid()).new"
    let descriptor = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw folderError("write", path) }
    var rest = Array(text.utf8)[...]
    do {
        defer { close(descriptor) }
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            guard written > 0 else { throw folderError("write", path) }
            rest = rest.dropFirst(written)
        }
        guard fchmod(descriptor, mode) == 0 else { throw folderError("set the rights of", path) }
        if let owner, fchown(descriptor, owner.userID, owner.groupID) != 0 { throw folderError("give away", path) }
        guard fsync(descriptor) == 0 else { throw folderError("write", path) }
    } catch {
        unlink(draft)
        throw error
    }
    guard rename(draft, path) == 0 else { throw folderError("write", path) }
}

func readFile(_ path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
}

/// Makes a folder, its parents too, with these rights; one that is there already gets the owner and the rights.
func makeFolder(_ path: String, mode: UInt32, owner: SystemUser? = nil) throws {
    let parent = (path as NSString).deletingLastPathComponent
    if !parent.isEmpty, parent != "/", access(parent, F_OK) != 0 { try makeFolder(parent, mode: 0o755) }
    guard mkdir(path, mode) == 0 || errno == EEXIST else { throw folderError("make the folder", path) }
    guard chmod(path, mode) == 0 else { throw folderError("set the rights of", path) }
    if let owner, chown(path, owner.userID, owner.groupID) != 0 { throw folderError("give away", path) }
}

func removeTree(_ path: String) throws {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    do {
        try FileManager.default.removeItem(atPath: path)
    } catch {
        throw folderError("remove", path, EACCES)
    }
}

/// A secret of 128 random bits, made once and kept in a file only its owner may read.
func keptSecret(at path: String, owner: SystemUser?) throws -> String {
    if let kept = readFile(path)?.trimmingCharacters(in: .whitespacesAndNewlines), !kept.isEmpty { return kept }
    var generator = SystemRandomNumberGenerator()
    let secret = (0..<16).map { _ in
        let byte = String(UInt8.random(in: .min ... .max, using: &generator), radix: 16)
        return byte.count == 1 ? "0" + byte : byte
    }.joined()
    try writeFile(secret + "\n", to: path, mode: 0o600, owner: owner)
    return secret
}
