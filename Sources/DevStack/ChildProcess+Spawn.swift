import Foundation

/// The read ends of a started program's output.
struct Spawned: Sendable {
    let processID: Int32
    let output: Int32
    /// Equal to `output` where both streams are one.
    let errors: Int32
}

/// Starts a program in a process group of its own, so that a terminal's Ctrl-C reaches Atrium alone, which then stops
/// what it started in order. Called on the launch thread only.
func spawn(_ program: Program, mergeErrors: Bool) throws -> Spawned {
    let words = try program.commandLine()
    let output = try closedOnExec { pipe(&$0) }
    let errors = try mergeErrors ? output : closedOnExec { pipe(&$0) }
    let input = try inputFile(program.input)
    defer {
        close(input)
        close(output[1])
        if !mergeErrors { close(errors[1]) }
    }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output[1], 1)
    posix_spawn_file_actions_adddup2(&actions, errors[1], 2)
    _ = GNUSpawn.closeEverythingElse?(&actions, 3)
    if let folder = program.workingDirectory { _ = GNUSpawn.changeFolder?(&actions, folder) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // Atrium ignores or blocks signals it handles in a loop of its own; a program started by it must not inherit that.
    var every = sigset_t()
    var none = sigset_t()
    sigfillset(&every)
    sigemptyset(&none)
    posix_spawnattr_setsigdefault(&attributes, &every)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = program.environment.map { strdup("\($0)=\($1)") } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var processID: pid_t = 0
    let failure = posix_spawn(&processID, words[0], &actions, &attributes, &arguments, &environment)
    guard failure == 0 else {
        close(output[0])
        if !mergeErrors { close(errors[0]) }
        throw DevStackError(
            .programMissing, "\(program.executable) could not be started: \(String(cString: strerror(failure))).")
    }
    return Spawned(processID: processID, output: output[0], errors: errors[0])
}

/// Calls of the GNU C library that its headers show to C only, looked up by name.
private enum GNUSpawn {
    typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32
    typealias ChangeFolder =
        @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, UnsafePointer<CChar>) ->
        Int32

    static let closeEverythingElse = symbol("posix_spawn_file_actions_addclosefrom_np", as: CloseFrom.self)
    static let changeFolder = symbol("posix_spawn_file_actions_addchdir_np", as: ChangeFolder.self)

    private static func symbol<Function>(_ name: String, as: Function.Type) -> Function? {
        dlsym(nil, name).map { unsafeBitCast($0, to: Function.self) }
    }
}

private func closedOnExec(_ make: (inout [Int32]) -> Int32) throws -> [Int32] {
    var ends: [Int32] = [-1, -1]
    guard make(&ends) == 0 else {
        throw DevStackError(
            .programFailed, "No pipe could be made (\(String(cString: strerror(errno)))). Raise the limit: ulimit -n")
    }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return ends
}

/// A file without a name that holds what the program reads, so that nobody has to feed a pipe.
private func inputFile(_ bytes: [UInt8]) throws -> Int32 {
    guard !bytes.isEmpty else { return open("/dev/null", O_RDONLY | O_CLOEXEC) }
    var template = Array("/tmp/atrium-input-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0 else {
        throw DevStackError(
            .folderUnusable, "/tmp cannot be written to (\(String(cString: strerror(errno)))). Free space or mend it.")
    }
    unlink(template)
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    var rest = bytes[...]
    while !rest.isEmpty {
        let written = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard written > 0 else {
            close(file)
            throw DevStackError(.diskFull, "The disk that holds /tmp is full. Free space and start again.")
        }
        rest = rest.dropFirst(written)
    }
    lseek(file, 0, SEEK_SET)
    return file
}
