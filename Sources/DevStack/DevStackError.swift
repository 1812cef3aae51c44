/// What kept the development stack from coming up or going down, and what to do about it.
package struct DevStackError: Error, Sendable {
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let description: String

        package static let programMissing = Code(description: "programMissing")
        package static let programFailed = Code(description: "programFailed")
        package static let folderInUse = Code(description: "folderInUse")
        package static let folderUnusable = Code(description: "folderUnusable")
        package static let folderUnreachable = Code(description: "folderUnreachable")
        package static let diskFull = Code(description: "diskFull")
        package static let portTaken = Code(description: "portTaken")
        package static let wrongVersion = Code(description: "wrongVersion")
        package static let serverFailed = Code(description: "serverFailed")
        package static let tooLate = Code(description: "tooLate")
    }

    package let code: Code
    /// Says what happened and what to do; written for the person at the terminal.
    package let message: String
    package let file: String
    package let line: Int

    package init(_ code: Code, _ message: String, file: String = #fileID, line: Int = #line) {
        self.code = code
        self.message = message
        self.file = file
        self.line = line
    }
}

extension DevStackError: CustomStringConvertible {
    package var description: String { message }
}
