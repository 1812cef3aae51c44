import Foundation

/// What a command finds around it: the folder it was called in, the environment and the day.
package struct Surroundings: Sendable {
    package let folder: String
    package let environment: [String: String]
    private let day: String?

    package init(folder: String, environment: [String: String] = [:], day: String? = nil) {
        self.folder = Paths.absolute(folder, from: "/")
        self.environment = environment
        self.day = day
    }

    package static func ofProcess() -> Surroundings {
        Surroundings(
            folder: FileManager.default.currentDirectoryPath, environment: ProcessInfo.processInfo.environment)
    }

    /// A variable that is set to something.
    func variable(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Today where this machine is, unless ADR_DATE says otherwise.
    package var today: String {
        if let date = variable("ADR_DATE") ?? day { return date }
        let parts = Calendar(identifier: .gregorian).dateComponents([.year, .month, .day], from: Date())
        func two(_ number: Int?) -> String { (number ?? 0) < 10 ? "0\(number ?? 0)" : "\(number ?? 0)" }
        return "\(parts.year ?? 0)-\(two(parts.month))-\(two(parts.day))"
    }

    /// A path as a person in this folder writes it.
    package func shown(_ path: String) -> String {
        Paths.relative(path, to: folder)
    }

    package func absolute(_ path: String) -> String {
        Paths.absolute(path, from: folder)
    }

    /// Opens a file in the editor that the environment names, VISUAL before EDITOR, and waits for it.
    package func edit(_ path: String) throws {
        guard let editor = variable("VISUAL") ?? variable("EDITOR") else { return }
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "exec \(editor) \"$1\"", "sh", path]
        process.currentDirectoryURL = URL(filePath: folder)
        process.environment = environment
        fflush(nil)
        do {
            try process.run()
        } catch {
            throw RecordError("\(path) was written, but the editor `\(editor)` can't be started")
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw RecordError("\(path) was written, but the editor `\(editor)` ended with \(process.terminationStatus)")
        }
    }
}
