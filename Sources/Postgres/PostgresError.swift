/// Why the database could not do what it was asked, and where it was asked.
package struct PostgresError: Error {
    package let code: Code
    /// The five characters of PostgreSQL's error code (appendix A of its manual), where the server had a say.
    package let sqlState: String?
    package let message: String
    package let schema: String?
    package let table: String?
    package let column: String?
    package let constraint: String?
    /// May hold values of rows: for debugging, not for logs.
    package let detail: String?
    package let hint: String?
    /// Which statement of the flight failed, counted from zero.
    package let statementIndex: Int?
    package let cause: (any Error)?
    package let file: StaticString
    package let line: UInt

    package struct Code: Hashable, Sendable {
        fileprivate enum Base: Hashable {
            case server(String)
            case connectionLost, connectFailed, timeout, cancelled, poolExhausted, poolClosed, nestedAcquisition,
                decoding, rolledBack, unsupported, invalidSettings
        }

        fileprivate let base: Base

        /// The server refused a statement, with this SQLSTATE.
        package static func server(_ sqlState: String) -> Code { Code(base: .server(sqlState)) }
        /// The connection broke, or the server ended it; a COMMIT that was on its way may have taken effect.
        package static let connectionLost = Code(base: .connectionLost)
        /// No connection could be made.
        package static let connectFailed = Code(base: .connectFailed)
        /// The deadline passed; the server was told to stop.
        package static let timeout = Code(base: .timeout)
        /// The task was cancelled; the server was told to stop.
        package static let cancelled = Code(base: .cancelled)
        /// No connection of the pool became free in time.
        package static let poolExhausted = Code(base: .poolExhausted)
        package static let poolClosed = Code(base: .poolClosed)
        /// Whoever asked for a connection has one already, and could wait for itself for ever.
        package static let nestedAcquisition = Code(base: .nestedAcquisition)
        /// The result isn't what the program takes it for.
        package static let decoding = Code(base: .decoding)
        /// COMMIT found a transaction that had failed before, and rolled it back.
        package static let rolledBack = Code(base: .rolledBack)
        /// A statement that can't be sent this way.
        package static let unsupported = Code(base: .unsupported)
        package static let invalidSettings = Code(base: .invalidSettings)
    }

    package init(
        _ code: Code, _ message: String, statementIndex: Int? = nil, cause: (any Error)? = nil,
        file: StaticString = #fileID, line: UInt = #line
    ) {
        self.init(
            code, ServerError(sqlState: nil, message: message), statementIndex: statementIndex, cause: cause,
            file: file,
            line: line)
    }

    init(
        _ code: Code, _ error: ServerError, statementIndex: Int? = nil, cause: (any Error)? = nil, file: StaticString,
        line: UInt
    ) {
        self.code = code
        sqlState = error.sqlState
        message = error.message
        schema = error.schema
        table = error.table
        column = error.column
        constraint = error.constraint
        detail = error.detail
        hint = error.hint
        self.statementIndex = statementIndex
        self.cause = cause
        self.file = file
        self.line = line
    }

    /// Whether the same unit of work, tried again from its beginning, has a chance.
    ///
    /// After `connectionLost` the first try may have taken effect: repeat only what can be repeated.
    package var isRetriable: Bool {
        switch code.base {
        case .connectionLost, .poolExhausted, .timeout: true
        case .connectFailed: sqlState.map(Self.isTransient) ?? true
        case .server(let sqlState): Self.isTransient(sqlState) || isStalePlan
        case .cancelled, .poolClosed, .nestedAcquisition, .decoding, .rolledBack, .unsupported, .invalidSettings: false
        }
    }

    /// The server no longer has the prepared statement, or not with this shape.
    var isStalePlan: Bool {
        sqlState == "26000" || (sqlState == "0A000" && message.contains("cached plan"))
    }

    /// 08 connection, 40 rollback (serialization, deadlock), 53 out of something, 55P03 lock not available, 57P0x the
    /// server stops or starts.
    private static func isTransient(_ sqlState: String) -> Bool {
        ["08", "40", "53"].contains(sqlState.prefix(2)) || sqlState == "55P03" || sqlState.hasPrefix("57P0")
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Names and codes, never values of rows.
    package var description: String {
        var text = "PostgreSQL: "
        // Messages of class 22, data exceptions, quote the value they complain about.
        text += sqlState?.hasPrefix("22") == true ? "a value was refused" : message
        if let sqlState { text += " [\(sqlState)]" }
        if let constraint { text += " constraint \(constraint)" }
        if let table { text += " table \(schema.map { $0 + "." } ?? "")\(table)" }
        if let column { text += " column \(column)" }
        if let statementIndex { text += " statement \(statementIndex)" }
        return text + " (\(file):\(line))"
    }

    package var debugDescription: String {
        var text = "\(code.base): \(message) [\(sqlState ?? "-")]"
        if let detail { text += " DETAIL: \(detail)" }
        if let hint { text += " HINT: \(hint)" }
        if let constraint { text += " CONSTRAINT: \(constraint)" }
        if let table { text += " TABLE: \(schema.map { $0 + "." } ?? "")\(table)" }
        if let column { text += " COLUMN: \(column)" }
        if let statementIndex { text += " STATEMENT: \(statementIndex)" }
        if let cause { text += " CAUSE: \(String(reflecting: cause))" }
        return text + " (\(file):\(line))"
    }
}
