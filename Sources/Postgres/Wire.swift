import CPostgres
import Glibc
import Logging

/// The owner of one `PGconn`: every call of libpq that takes one is here.
///
/// `@unchecked` because of the pointer, which has one user at a time: the attempt that opens the connection, and then
/// whoever holds the lock of the connection.
final class Wire: @unchecked Sendable {
    enum Progress { case reading, writing, ready, failed }
    enum Flush { case done, blocked, failed }
    enum Transaction { case none, open, failed, unknown }

    private let connection: OpaquePointer
    private let notices: NoticeLog

    /// Begins to connect; may look names up, and so block.
    init?(_ settings: ConnectionSettings, logger: Logger) {
        let keywords = settings.keywords
        let names = CStrings(keywords.map(\.0))
        let values = CStrings(keywords.map(\.1))
        let started = names.withPointers { names in
            values.withPointers { values in PQconnectStartParams(names, values, 0) }
        }
        guard let connection = started else { return nil }
        self.connection = connection
        notices = NoticeLog(logger: logger)
        // With this verbosity, the message of a refused connection tells the SQLSTATE, which libpq gives no other way.
        PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        // Called inside the calls below, on their thread; the log lives as long as the connection.
        PQsetNoticeProcessor(
            connection,
            { log, message in
                guard let log, let message else { return }
                Unmanaged<NoticeLog>.fromOpaque(log).takeUnretainedValue().write(String(cString: message))
            }, Unmanaged.passUnretained(notices).toOpaque())
    }

    deinit { PQfinish(connection) }

    // MARK: Connecting

    func continueConnecting() -> Progress {
        switch PQconnectPoll(connection) {
        case PGRES_POLLING_READING: .reading
        case PGRES_POLLING_WRITING: .writing
        case PGRES_POLLING_OK: .ready
        default: .failed
        }
    }

    var hasFailed: Bool { PQstatus(connection) == CONNECTION_BAD }
    var socket: Int32 { PQsocket(connection) }

    func beginPipeline() -> Bool {
        PQsetErrorVerbosity(connection, PQERRORS_DEFAULT)
        return PQsetnonblocking(connection, 1) == 0 && PQenterPipelineMode(connection) == 1
    }

    /// What libpq last complained about; only while connecting does it tell the SQLSTATE.
    var error: ServerError {
        let text = String(cString: PQerrorMessage(connection)).trimmedLine
        let firstLine = text.split(separator: "\n", maxSplits: 1).first.map(String.init) ?? "the connection broke"
        guard let match = firstLine.firstMatch(of: /(?:FATAL|ERROR|PANIC|\S+):  ([0-9A-Z]{5}): (.*)/) else {
            return ServerError(sqlState: nil, message: firstLine)
        }
        return ServerError(sqlState: String(match.1), message: String(match.2))
    }

    // MARK: Sending

    func prepare(_ entry: StatementCache.Entry) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: entry.types.count) { types in
            for (index, type) in entry.types.enumerated() { types[index] = type.oid }
            return PQsendPrepare(connection, entry.name, entry.text, Int32(types.count), types.baseAddress) == 1
        }
    }

    func execute(_ entry: StatementCache.Entry, _ bindings: Bindings) -> Bool {
        withParameters(bindings) { count, _, values, lengths, formats in
            PQsendQueryPrepared(connection, entry.name, count, values, lengths, formats, 1) == 1
        }
    }

    func execute(_ text: String, _ bindings: Bindings) -> Bool {
        withParameters(bindings) { count, types, values, lengths, formats in
            PQsendQueryParams(connection, text, count, types, values, lengths, formats, 1) == 1
        }
    }

    func sync() -> Bool { PQpipelineSync(connection) == 1 }

    /// Leaves pipeline mode, in which the simple protocol isn't allowed, until `endScript()`.
    func beginScript(_ text: String) -> Bool {
        PQexitPipelineMode(connection) == 1 && PQsendQuery(connection, text) == 1
    }

    func endScript() -> Bool { PQenterPipelineMode(connection) == 1 }

    func flush() -> Flush {
        switch PQflush(connection) {
        case 0: .done
        case 1: .blocked
        default: .failed
        }
    }

    // MARK: Receiving

    func read() -> Bool { PQconsumeInput(connection) == 1 }

    /// Nothing where more has to be read first.
    func next() -> WireResult? {
        PQisBusy(connection) == 1 ? nil : WireResult(taking: PQgetResult(connection))
    }

    /// Known only while nothing is under way.
    var transaction: Transaction {
        switch PQtransactionStatus(connection) {
        case PQTRANS_IDLE: .none
        case PQTRANS_INTRANS: .open
        case PQTRANS_INERROR: .failed
        default: .unknown
        }
    }

    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = PQnotifies(connection) else { return nil }
        defer { PQfreemem(notification) }
        return (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }

    func parameter(_ name: String) -> String? {
        PQparameterStatus(connection, name).map { String(cString: $0) }
    }

    var serverProcess: Int32 { PQbackendPID(connection) }

    var cancellation: ServerCancellation? { PQgetCancel(connection).map(ServerCancellation.init) }

    /// Lends the parameters as the arrays that libpq takes: types, values, lengths, formats.
    private func withParameters(
        _ bindings: Bindings,
        _ body: (
            Int32, UnsafePointer<UInt32>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?,
            UnsafePointer<Int32>?
        ) -> Bool
    ) -> Bool {
        let count = bindings.count
        if count == 0 { return body(0, nil, nil, nil, nil) }
        return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: count) { values in
            withUnsafeTemporaryAllocation(of: UInt32.self, capacity: count) { types in
                withUnsafeTemporaryAllocation(of: Int32.self, capacity: count * 2) { numbers in
                    let formats = numbers.baseAddress! + count
                    return bindings.withValues { position, binding in
                        types.initializeElement(at: position, to: binding.type.oid)
                        values.initializeElement(
                            at: position, to: binding.value?.baseAddress?.assumingMemoryBound(to: CChar.self))
                        numbers.initializeElement(at: position, to: Int32(binding.value?.count ?? 0))
                        numbers.initializeElement(at: count + position, to: 1)
                    } then: {
                        body(Int32(count), types.baseAddress, values.baseAddress, numbers.baseAddress, formats)
                    }
                }
            }
        }
    }
}

/// Asks the server to stop what one connection runs.
///
/// `@unchecked` because of the pointer: a `PGcancel` never changes and isn't tied to the connection's thread.
final class ServerCancellation: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit { PQfreeCancel(pointer) }

    /// Blocks until the server has taken the request; returns why it has not.
    func send() -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            PQcancel(pointer, message.baseAddress, 256) == 1 ? nil : String(cString: message.baseAddress!).trimmedLine
        }
    }
}

private final class NoticeLog {
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    func write(_ message: String) {
        logger.debug("notice of PostgreSQL", metadata: ["notice": .string(message.trimmedLine)])
    }
}

/// An array of C strings with a null pointer at its end.
private struct CStrings: ~Copyable {
    private var storage: [UnsafeMutablePointer<CChar>?]

    init(_ strings: [String?]) {
        storage = strings.map { $0.flatMap { strdup($0) } } + [nil]
    }

    deinit { for string in storage { free(string) } }

    func withPointers<Result>(_ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result) -> Result {
        storage.map { $0.map { UnsafePointer($0) } }.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
