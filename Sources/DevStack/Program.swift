import Foundation

/// A program to start: what, with what, as whom.
package struct Program: Sendable {
    /// What the kernel sends to the program when Atrium dies, however it dies.
    package enum DeathSignal: String, Sendable {
        case interrupt = "INT"
        case quit = "QUIT"
        case terminate = "TERM"
        case kill = "KILL"
    }

    package var executable: String
    package var arguments: [String]
    /// The whole environment of the program; nothing else is handed down.
    package var environment: [String: String]
    package var workingDirectory: String?
    package var user: SystemUser?
    package var deathSignal: DeathSignal?
    package var input: [UInt8]

    package init(
        _ executable: String, _ arguments: [String] = [], environment: [String: String] = Program.plainEnvironment,
        workingDirectory: String? = nil, as user: SystemUser? = nil, deathSignal: DeathSignal? = .kill,
        input: [UInt8] = []
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.user = user
        self.deathSignal = deathSignal
        self.input = input
    }

    /// English messages, the usual search path and nothing personal.
    package static let plainEnvironment = [
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
    ]

    /// The words handed to the kernel: `setpriv` first where the program runs as another user or has a death signal.
    func commandLine() throws -> [String] {
        guard user != nil || deathSignal != nil else { return [executable] + arguments }
        guard let setpriv = Program.find("setpriv") else {
            throw DevStackError(
                .programMissing, "The program setpriv is missing. Install it: apt-get install util-linux")
        }
        var words = [setpriv]
        if let user {
            words += ["--reuid", String(user.userID), "--regid", String(user.groupID), "--init-groups"]
        }
        if let deathSignal {
            words += ["--pdeathsig", deathSignal.rawValue]
        }
        // Atrium may have died before the death signal was in place; the program then has another parent by now.
        let check = "[ \"$PPID\" = \(getpid()) ] && exec \"$@\""
        return words + ["--", "/bin/sh", "-c", check, "sh", executable] + arguments
    }

    /// The absolute path of a program of the usual search path.
    package static func find(_ name: String) -> String? {
        let own = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = (own + ":" + (plainEnvironment["PATH"] ?? "")).split(separator: ":")
        return folders.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}

/// How a program ended.
package enum ProgramExit: Hashable, Sendable {
    case exited(Int32)
    case signalled(Int32)

    package var isSuccess: Bool { self == .exited(0) }
}

extension ProgramExit: CustomStringConvertible {
    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal): "signal \(signal)"
        }
    }
}
