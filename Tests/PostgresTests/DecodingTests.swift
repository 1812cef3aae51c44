import Foundation
import Kernel
import Testing

@testable import Postgres

private enum Colour: String, PostgresEncodable, PostgresDecodable { case red, green }

@Suite("Typed values")
struct DecodingTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ values: Value..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await withConnection { connection in
            for value in values {
                let back = try await connection.run("SELECT \(value)")[0][0].decode(Value.self)
                #expect(back == value, sourceLocation: sourceLocation)
            }
        }
    }

    @Test("every type comes back as it was sent")
    func scalars() async throws {
        try await roundTrip(true, false)
        try await roundTrip(Int16.min, 0, .max)
        try await roundTrip(Int32.min, 0, .max)
        try await roundTrip(Int64.min, 0, .max)
        try await roundTrip(Int.min, -1, .max)
        try await roundTrip(0.1, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude)
        try await roundTrip("", "Grüße, 世界 🌍", String(repeating: "x", count: 100_000))
        try await roundTrip(UUID())
        try await roundTrip(TenantID(UUID()))
        try await roundTrip(Timestamp("2026-02-28T23:59:59.123456Z")!, Timestamp("1815-12-10T00:00:00Z")!)
        try await roundTrip([UInt8]([]), [0, 255, 10, 0])
        try await roundTrip(Colour.green)
        try await roundTrip(Int?.none, 5)
    }

    @Test(
        "a decimal is exact",
        arguments: [
            "0", "1", "-1", "0.1", "-0.0001", "0.00010", "9999.9999", "10000", "100000000",
            "12345678901234567890.123456789",
            "99999999999999999999999999999999999999", "0.00000000000000000000000000000000000001", "1e30", "-120000e-3",
        ])
    func decimals(_ text: String) async throws {
        let value = try #require(Decimal(string: text))
        try await withConnection { connection in
            let row = try await connection.run("SELECT \(value), \(value)::text::numeric, \(text)::numeric = \(value)")[
                0][0]
            let (back, overText, isEqual) = try row.decode((Decimal, Decimal, Bool).self)
            #expect(back == value)
            #expect(overText == value)
            #expect(isEqual)
        }
    }

    @Test(
        "a numeric that a Decimal can't hold is an error and not a rounded number",
        arguments: [
            "123456789012345678901234567890123456789.5", "1e200", "'NaN'", "'Infinity'",
        ])
    func tooLong(_ text: String) async throws {
        try await withConnection { connection in
            let row = try await connection.run("SELECT \(unsafeSQL: text)::numeric")[0][0]
            #expect(throws: PostgresError.self) { try row.decode(Decimal.self) }
        }
    }

    @Test("JSON keeps its text, and jsonb its meaning")
    func json() async throws {
        try await withConnection { connection in
            let row = try await connection.run(
                """
                SELECT \(JSONText(#"{"a":[1,2]}"#)) -> 'a' -> 1, '{ "b" : 1 }'::json, jsonb_build_object('c', \("d"))
                """
            )[0][0]
            let (number, json, jsonb) = try row.decode((JSONText, JSONText, JSONText).self)
            #expect(number.text == "2")
            #expect(json.text == #"{ "b" : 1 }"#)
            #expect(jsonb.text == #"{"c": "d"}"#)
        }
    }

    @Test("arrays come back as they were sent, with NULL among their elements too")
    func arrays() async throws {
        try await roundTrip([Int](), [1, -2, 3])
        try await roundTrip([true, false])
        try await roundTrip([Int16(1)], [Int16]())
        try await roundTrip([Int32(1), 2])
        try await roundTrip([Int64(1), 2])
        try await roundTrip([1.5, -2])
        try await roundTrip(["a", "", "NULL", "{\"}"])
        try await roundTrip([UUID(), UUID()])
        try await roundTrip([Timestamp(microsecondsSinceEpoch: 1)])
        try await roundTrip([Decimal(string: "1.25")!, -3])
        try await roundTrip([JSONText("{\"a\": 1}"), JSONText("null")])
        try await roundTrip([[UInt8(1)], []])
        try await roundTrip([Int?.none, 7], [nil])
    }

    @Test("arrays of columns unnest into rows")
    func unnesting() async throws {
        try await withConnection { connection in
            let rows = try await connection.run(
                "SELECT * FROM unnest(\(["a", "b"]), \([1, 2]), \([Int?.none, 3]))")[0]
            let decoded = try rows.decode((String, Int, Int?).self)
            #expect(decoded.map(\.0) == ["a", "b"])
            #expect(decoded.map(\.2) == [nil, 3])
        }
    }

    @Test("text, varchar, name, char(n) and an enumeration of the database read as String")
    func textLike() async throws {
        try await withConnection { connection in
            try await connection.run("BEGIN", "CREATE TYPE mood AS ENUM ('glad')")
            let row = try await connection.run(
                "SELECT 'a'::text, 'b'::varchar(5), 'c'::name, 'd'::char(3), 'glad'::mood, 'e'::\"char\"")[0][0]
            let (a, b, c, d, e, f) = try row.decode((String, String, String, String, String, String).self)
            #expect([a, b, c, d, e, f] == ["a", "b", "c", "d  ", "glad", "e"])
        }
    }

    @Test("a smaller integer reads as a larger one, and count(*) as Int")
    func widening() async throws {
        try await withConnection { connection in
            let row = try await connection.run("SELECT 1::int2, 2::int4, count(*), 3::oid, 1.5::float4 FROM pg_class")[
                0][0]
            let (a, b, c, d, e) = try row.decode((Int, Int64, Int, Int, Double).self)
            #expect((a, b, d, e) == (1, 2, 3, 1.5))
            #expect(c > 0)
        }
    }

    @Test("what isn't what it is taken for is an error that names the column and the type")
    func mismatches() async throws {
        try await withConnection { connection in
            let row = try await connection.run(
                "SELECT 'x'::text AS name, NULL::int AS age, 5::int8 AS big, now()::date AS day")[0][0]
            func message(_ body: () throws -> Void) -> String? {
                do { try body() } catch let error as PostgresError where error.code == .decoding {
                    return error.message
                } catch {}
                return nil
            }
            #expect(
                message { _ = try row.decode("name", as: Int.self) }?.contains("column name as Int: it is text") == true
            )
            #expect(message { _ = try row.decode("age", as: Int.self) }?.contains("it is NULL") == true)
            #expect(message { _ = try row.decode("big", as: Int32.self) }?.contains("it is int8") == true)
            #expect(message { _ = try row.decode("day", as: Timestamp.self) }?.contains("it is date") == true)
            #expect(message { _ = try row.decode("none", as: Int.self) }?.contains("no column none") == true)
            #expect(
                message { _ = try row.decode((String, Int?, Int, String, Int).self) }?.contains("it is date") == true)
            #expect(message { _ = try row.decode("name", as: Colour.self) }?.contains("Colour") == true)
            #expect(try row.decode("age", as: Int?.self) == nil)
        }
    }

    @Test(
        "a time that a Timestamp can't hold is an error",
        arguments: ["infinity", "-infinity", "294276-12-31 23:59:59 UTC"])
    func timesOutOfRange(_ text: String) async throws {
        try await withConnection { connection in
            let row = try await connection.run("SELECT \(text)::timestamptz")[0][0]
            #expect(throws: PostgresError.self) { try row.decode(Timestamp.self) }
        }
    }

    @Test("a result says how many rows were touched")
    func affected() async throws {
        try await withConnection { connection in
            let results = try await connection.run(
                "CREATE TEMP TABLE t (n int)", "INSERT INTO t SELECT generate_series(1, 5)",
                "UPDATE t SET n = 0 WHERE n > 3",
                "DELETE FROM t WHERE n = 1", "SELECT * FROM t", "")
            #expect(results.map(\.affected) == [0, 5, 2, 1, 4, 0])
            #expect(results[4].count == 4)
            #expect(results[4].columns == ["n"])
        }
    }
}
