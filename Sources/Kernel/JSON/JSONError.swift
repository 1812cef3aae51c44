/// Why a text is not the strict JSON we take, and where it stops being it.
public struct JSONError: Error, Hashable, Sendable {
    public enum Reason: Hashable, Sendable {
        case unexpectedEnd
        case unexpectedCharacter
        case duplicateName
        case tooDeep
        case invalidUTF8
        case controlCharacter
        case invalidEscape
        case loneSurrogate
        case invalidNumber
        case trailingBytes
    }

    public let reason: Reason
    public let line: Int
    /// Counted in bytes, from 1.
    public let column: Int

    public init(reason: Reason, line: Int, column: Int) {
        self.reason = reason
        self.line = line
        self.column = column
    }
}

extension JSONError: CustomStringConvertible {
    public var description: String {
        let what =
            switch reason {
            case .unexpectedEnd: "the text ends in the middle of a value"
            case .unexpectedCharacter: "a character that can't stand here"
            case .duplicateName: "a name that the object has already"
            case .tooDeep: "more than \(JSON.maximumDepth) levels of nesting"
            case .invalidUTF8: "bytes that are not UTF-8"
            case .controlCharacter: "a control character that is not escaped"
            case .invalidEscape: "an escape that JSON doesn't have"
            case .loneSurrogate: "half of a surrogate pair"
            case .invalidNumber: "a number that JSON doesn't allow"
            case .trailingBytes: "something after the end of the value"
            }
        return "line \(line), column \(column): \(what)"
    }
}
