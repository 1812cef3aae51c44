/// One row of a result; columns are decoded when they are asked for.
package struct Row: Sendable {
    let result: ResultHandle
    let index: Int

    /// Decodes the columns from the first on, one for each type: `try row.decode((UUID, String).self)`.
    package func decode<each Column: PostgresDecodable>(
        _ types: (repeat each Column).Type = (repeat each Column).self, file: StaticString = #fileID, line: UInt = #line
    ) throws -> (repeat each Column) {
        var column = 0
        return (repeat try next((each Column).self, &column, file, line))
    }

    /// Decodes the first column; a pack of one type would come back as a tuple of one, which is no value of that type.
    package func decode<Value: PostgresDecodable>(
        _ type: Value.Type, file: StaticString = #fileID, line: UInt = #line
    ) throws -> Value {
        try decode(0, file, line)
    }

    /// Decodes the column of this name.
    package func decode<Value: PostgresDecodable>(
        _ name: String, as type: Value.Type = Value.self, file: StaticString = #fileID, line: UInt = #line
    ) throws -> Value {
        guard let column = result.column(named: name) else {
            throw PostgresError(.decoding, "the result has no column \(name)", file: file, line: line)
        }
        return try decode(column, file, line)
    }

    /// Reads column after column: what is decoded by the thousand goes without the cost of a tuple's type.
    package func reader(from column: Int = 0, file: StaticString = #fileID, line: UInt = #line) -> RowReader {
        RowReader(row: self, column: column, file: file, line: line)
    }

    private func next<Value: PostgresDecodable>(
        _: Value.Type, _ column: inout Int, _ file: StaticString, _ line: UInt
    ) throws -> Value {
        defer { column += 1 }
        return try decode(column, file, line)
    }

    fileprivate func decode<Value: PostgresDecodable>(
        _ column: Int, _ file: StaticString, _ line: UInt
    ) throws -> Value {
        guard column < result.columns else {
            throw PostgresError(
                .decoding, "the result has \(result.columns) columns, and column \(column + 1) was asked for",
                file: file,
                line: line)
        }
        do throws(CellError) {
            return try Value(postgres: result.cell(row: index, column: column))
        } catch {
            let reason =
                switch error {
                case .null: "it is NULL; decode it as an Optional"
                case .type(let type): "it is \(type); decode it as what it is, or cast it in the statement"
                case .malformed(let what): "it is \(what)"
                }
            throw PostgresError(
                .decoding, "cannot read column \(result.name(ofColumn: column)) as \(Value.self): \(reason)",
                file: file,
                line: line)
        }
    }
}

/// A place in a row, from which each column is read in turn.
package struct RowReader {
    fileprivate let row: Row
    fileprivate var column: Int
    fileprivate let file: StaticString
    fileprivate let line: UInt

    package mutating func next<Value: PostgresDecodable>(_: Value.Type = Value.self) throws -> Value {
        defer { column += 1 }
        return try row.decode(column, file, line)
    }
}

/// The result of one statement.
package struct Rows: Sendable, RandomAccessCollection {
    private let result: ResultHandle?
    /// What the server says it did, such as `INSERT 0 1`.
    package let command: String

    init(result: ResultHandle?, command: String) {
        self.result = result
        self.command = command
    }

    /// How many rows an INSERT, UPDATE or DELETE touched, or a SELECT returned.
    package var affected: Int {
        command.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { result?.rows ?? 0 }
    package var columns: [String] {
        guard let result else { return [] }
        return (0..<result.columns).map(result.name(ofColumn:))
    }

    package subscript(position: Int) -> Row {
        guard let result, position >= 0, position < result.rows else {
            preconditionFailure("row \(position) of \(count)")
        }
        return Row(result: result, index: position)
    }

    /// Decodes every row.
    package func decode<each Column: PostgresDecodable>(
        _ types: (repeat each Column).Type = (repeat each Column).self, file: StaticString = #fileID, line: UInt = #line
    ) throws -> [(repeat each Column)] {
        try map { try $0.decode(types, file: file, line: line) }
    }
}
