package import Foundation

/// Where the tests find what they need.
package enum Places {
    /// The folder that holds Package.swift; `ATRIUM_ROOT` names another.
    package static let packageRoot: URL = {
        if let named = ProcessInfo.processInfo.environment["ATRIUM_ROOT"] { return URL(filePath: named) }
        return URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }()

    /// The folder of built programs, in which the running test bundle lies too.
    package static let products = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    /// Where logs of programs the tests start are kept for reading afterwards.
    package static func logFile(_ name: String) throws -> String {
        let folder = packageRoot.appending(path: ".build/test-logs")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder.appending(path: name).path()
    }
}
