import CPostgres
import Glibc

/// The owner of one `PGresult`.
///
/// `@unchecked` because of the pointer: libpq never changes a result once it has handed it out, and reading one is safe
/// from any thread.
final class ResultHandle: @unchecked Sendable {
    private let pointer: OpaquePointer
    let rows: Int
    let columns: Int

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
        rows = Int(PQntuples(pointer))
        columns = Int(PQnfields(pointer))
    }

    deinit { PQclear(pointer) }

    /// Lends memory of this result: the cell must not outlive it.
    func cell(row: Int, column: Int) -> PostgresCell {
        let (row, column) = (Int32(row), Int32(column))
        let type = PostgresType(oid: PQftype(pointer, column))
        guard PQgetisnull(pointer, row, column) == 0 else { return PostgresCell(type: type, bytes: nil) }
        let length = Int(PQgetlength(pointer, row, column))
        return PostgresCell(
            type: type, bytes: UnsafeRawBufferPointer(start: PQgetvalue(pointer, row, column), count: length))
    }

    func name(ofColumn column: Int) -> String {
        String(cString: PQfname(pointer, Int32(column)))
    }

    func column(named name: String) -> Int? {
        name.withCString { wanted in (0..<columns).first { strcmp(PQfname(pointer, Int32($0)), wanted) == 0 } }
    }
}

/// What one turn of `PQgetResult` brought.
enum WireResult {
    case rows(ResultHandle, command: String)
    case done(command: String)
    case failed(ServerError)
    /// Not run, because something before it in the flight failed.
    case skipped
    case sync
    /// The end of one statement's results.
    case end
    /// COPY, or whatever else a flight can't hold.
    case unsupported

    /// Takes over the result.
    init(taking pointer: OpaquePointer?) {
        guard let pointer else {
            self = .end
            return
        }
        let status = PQresultStatus(pointer)
        if status == PGRES_TUPLES_OK {
            self = .rows(ResultHandle(pointer), command: String(cString: PQcmdStatus(pointer)))
            return
        }
        defer { PQclear(pointer) }
        switch status {
        case PGRES_COMMAND_OK: self = .done(command: String(cString: PQcmdStatus(pointer)))
        case PGRES_EMPTY_QUERY: self = .done(command: "")
        case PGRES_PIPELINE_SYNC: self = .sync
        case PGRES_PIPELINE_ABORTED: self = .skipped
        case PGRES_FATAL_ERROR: self = .failed(ServerError(pointer))
        default: self = .unsupported
        }
    }
}

/// The fields of an error that the server, or libpq in its place, reports.
struct ServerError: Hashable, Sendable {
    var sqlState: String?
    var message: String
    var detail: String?
    var hint: String?
    var schema: String?
    var table: String?
    var column: String?
    var constraint: String?

    init(sqlState: String?, message: String) {
        self.sqlState = sqlState
        self.message = message
    }

    fileprivate init(_ pointer: OpaquePointer) {
        func field(_ code: Character) -> String? {
            PQresultErrorField(pointer, Int32(code.asciiValue!)).map { String(cString: $0) }
        }
        sqlState = field("C")
        message = field("M") ?? String(cString: PQresultErrorMessage(pointer)).trimmedLine
        detail = field("D")
        hint = field("H")
        schema = field("s")
        table = field("t")
        column = field("c")
        constraint = field("n")
    }
}

extension String {
    /// libpq ends its messages with a line break.
    var trimmedLine: String {
        var text = Substring(self)
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }
}
