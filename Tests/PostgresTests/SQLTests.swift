import Foundation
import Kernel
import Testing

@testable import Postgres

@Suite("SQL by interpolation")
struct SQLTests {
    @Test("a value becomes a parameter and never part of the text")
    func values() async throws {
        let hostile = "'; DROP TABLE users; --"
        let sql: SQL = "SELECT \(hostile), \(7) WHERE \(true)"
        #expect(sql.text == "SELECT $1, $2 WHERE $3")
        #expect(sql.bindings.types == [.text, .int8, .bool])
        #expect("\(sql)" == sql.text)
        let back = try await withConnection { try await $0.run(sql)[0] }
        #expect(try back[0].decode((String, Int).self) == (hostile, 7))
    }

    @Test("SQL spliced into SQL brings its parameters, numbered on")
    func splicing() async throws {
        let conditions: SQL = "a > \(1) AND b = \("x$1") AND c = \(nil as Int?)"
        let sql: SQL = "SELECT \(0) FROM (SELECT 2 AS a, 'x$1' AS b, 3 AS c) t WHERE \(conditions) OR \(true)"
        #expect(
            sql.text == """
                SELECT $1 FROM (SELECT 2 AS a, 'x$1' AS b, 3 AS c) t WHERE a > $2 AND b = $3 AND c = $4 OR $5
                """)
        let rows = try await withConnection { try await $0.run(sql)[0] }
        #expect(rows.count == 1)
    }

    @Test("more than nine parameters keep their numbers when they are spliced")
    func manyParameters() {
        var list: SQL = "\(0)"
        for number in 1...11 { list.append(", \(number)" as SQL) }
        let sql: SQL = "SELECT \(true), \(list), \(false)"
        #expect(sql.text == "SELECT $1, \((2...13).map { "$\($0)" }.joined(separator: ", ")), $14")
        #expect(sql.bindings.count == 14)
    }

    @Test("the name of a column is quoted, quotes in it too")
    func identifiers() {
        #expect(("SELECT \(identifier: "odd\"name")" as SQL).text == "SELECT \"odd\"\"name\"")
    }

    @Test("raw text is spliced in only where it says so")
    func rawText() {
        let sql: SQL = "SELECT * FROM \(unsafeSQL: "orders.orders") WHERE id = \(5)"
        #expect(sql.text == "SELECT * FROM orders.orders WHERE id = $1")
    }

    @Test("a zero byte or too many parameters are refused before anything is sent")
    func unsendable() async throws {
        var many: SQL = "SELECT 1"
        for number in 0...65_535 { many.append(number) }
        try await withConnection { connection in
            for sql: SQL in ["SELECT 1\0; SELECT 2", many] {
                let error = try await postgresError { try await connection.run("SELECT 1", sql) }
                #expect(error.code == .unsupported)
                #expect(error.statementIndex == 1)
            }
            #expect(connection.roundTrips == 0)
        }
    }
}
