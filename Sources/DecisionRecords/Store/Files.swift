import Foundation

/// Reading and writing that loses nothing: files appear whole or not at all, and a new one is never put over another.
enum Files {
    static func read(_ path: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw RecordError("\(path) can't be read: \(reason(error))")
        }
    }

    static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    static func isFile(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }

    static func makeFolder(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw RecordError("the folder \(path) can't be made: \(reason(error))")
        }
    }

    /// Makes a file that was not there, with its whole text at once; an error where the name is taken.
    static func create(_ path: String, _ bytes: [UInt8]) throws {
        let scratch = try writeScratch(beside: path, bytes, mode: 0o666 & ~mask())
        defer { unlink(scratch) }
        guard link(scratch, path) != 0 else { return }
        let code = errno
        if code == EEXIST { throw RecordError("\(path) is there already: nothing was written over it") }
        // Some file systems have no hard links: there the name is taken first and the text follows.
        guard code == EPERM || code == ENOTSUP || code == ENOSYS else { throw failure("create", path, code) }
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o666)
        guard descriptor >= 0 else {
            if errno == EEXIST { throw RecordError("\(path) is there already: nothing was written over it") }
            throw failure("create", path, errno)
        }
        do {
            try write(bytes, to: descriptor, path)
        } catch {
            unlink(path)
            throw error
        }
    }

    /// Puts a new text in place of one that is as it was read; a symbolic link stays one.
    static func replace(_ path: String, _ old: [UInt8], by new: [UInt8]) throws {
        guard old != new else { return }
        guard try read(path) == old else {
            throw RecordError("\(path) was changed by somebody else meanwhile: nothing was written; try again")
        }
        let path = URL(filePath: path).resolvingSymlinksInPath().path
        var info = stat()
        let mode = stat(path, &info) == 0 ? info.st_mode & 0o7777 : 0o644
        guard access(path, W_OK) == 0 else { throw failure("write", path, errno) }
        let scratch = try writeScratch(beside: path, new, mode: mode)
        guard rename(scratch, path) == 0 else {
            let code = errno
            unlink(scratch)
            throw failure("write", path, code)
        }
    }

    /// Gives a file a name that was free.
    static func move(_ from: String, to target: String, old: [UInt8], new: [UInt8]) throws {
        guard try read(from) == old else {
            throw RecordError("\(from) was changed by somebody else meanwhile: nothing was written; try again")
        }
        try create(target, new)
        guard unlink(from) == 0 else { throw failure("remove", from, errno) }
    }

    private static func writeScratch(beside path: String, _ bytes: [UInt8], mode: mode_t) throws -> String {
        let folder = path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)
        var template = Array("\(folder)/.adr-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw failure("create", path, errno) }
        let scratch = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        fchmod(descriptor, mode)
        do {
            try write(bytes, to: descriptor, path)
        } catch {
            unlink(scratch)
            throw error
        }
        return scratch
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws {
        defer { close(descriptor) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path, errno) }
            rest = rest.dropFirst(count)
        }
        guard fsync(descriptor) == 0 || errno == EINVAL else { throw failure("write", path, errno) }
    }

    /// The bits that this process takes off new files.
    private static func mask() -> mode_t {
        let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("Umask:") }
        return line.flatMap { mode_t($0.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8) } ?? 0o022
    }

    private static func failure(_ verb: String, _ path: String, _ code: Int32) -> RecordError {
        RecordError("could not \(verb) \(path): \(String(cString: strerror(code)))")
    }

    private static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        if let underlying, underlying.domain == NSPOSIXErrorDomain {
            return String(cString: strerror(Int32(underlying.code)))
        }
        switch (error as? CocoaError)?.code {
        case .fileReadNoSuchFile?: return "there is no such file"
        case .fileReadNoPermission?, .fileWriteNoPermission?: return "permission denied"
        default: return "\(error.localizedDescription)"
        }
    }
}
