import Foundation
import Kernel
import Testing
import Web

@Suite("Shapes")
struct ShapeTests {
    private func decode<Value>(_ shape: Shape<Value>, _ json: JSON) -> (value: Value?, complaints: [String]) {
        var violations: [Violation] = []
        let value = shape.decode(json, into: &violations)
        return (value, violations.map(\.detail))
    }

    private func encode<Value>(_ shape: Shape<Value>, _ value: Value) -> String {
        var writer = JSONWriter()
        shape.encode(value, into: &writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test("a value that is read is written as it was, nil as null")
    func roundTrip() throws {
        let text = #"{"name":"lamp","note":null,"parts":[{"sku":"A","quantity":1000}],"weight":"0.125"}"#
        let thing = try #require(decode(NewThing.shape, try JSON.parse(text)).value)
        #expect(thing == NewThing(name: "lamp", note: nil, parts: [Part(sku: "A", quantity: 1000)], weight: 0.125))
        #expect(encode(NewThing.shape, thing) == text)
    }

    @Test("fields are read whatever their order, and an optional one may be absent")
    func order() throws {
        let text = #"{"weight":"1","parts":[{"quantity":1,"sku":"A"}],"name":"lamp"}"#
        #expect(decode(NewThing.shape, try JSON.parse(text)).value?.note == nil)
        #expect(decode(NewThing.shape, try JSON.parse(text)).value?.name == "lamp")
    }

    @Test(
        "decimals are exact and written as strings",
        arguments: [
            "0", "-1", "0.000000000001", "123456789012345678901234.123456789012", "0.1", "99999999999999999999",
        ])
    func decimals(text: String) throws {
        let value = try #require(decode(.decimal(), .string(text)).value)
        #expect(encode(.decimal(), value) == "\"\(text)\"")
    }

    @Test(
        "what is no decimal as we write it is refused",
        arguments: [
            "", "-", ".5", "1.", "+1", "1e3", "0x10", " 1", "1 ", "1.2.3", "１", "1,5", "--1", "Infinity",
            "1.0000000000001",
        ])
    func badDecimals(text: String) {
        #expect(decode(.decimal(), .string(text)).value == nil)
    }

    @Test("integers are refused where they are too large, fractional or no numbers")
    func integers() {
        let shape = Shape<Int64>.integer()
        #expect(decode(shape, .number("9223372036854775807")).value == .max)
        #expect(decode(shape, .number("-9223372036854775808")).value == .min)
        #expect(decode(shape, .number("9223372036854775808")).complaints.first?.hasPrefix("must be between") == true)
        #expect(decode(shape, .number("1.0")).complaints.first?.contains("without point") == true)
        #expect(decode(shape, .number("1e2")).value == nil)
        #expect(decode(shape, "1").complaints == ["must be an integer, but is of type string"])
        #expect(decode(shape, .null).complaints == ["must be an integer, but is null"])
    }

    @Test("booleans are true or false and nothing like them", arguments: [1, "true", nil, []] as [JSON])
    func booleans(json: JSON) {
        #expect(decode(.boolean, json).value == nil)
        #expect(decode(.boolean, true).value == true)
    }

    @Test("lengths count characters, not bytes")
    func lengths() {
        let shape = Shape<String>.string(2...3)
        #expect(decode(shape, "éé").value == "éé")
        #expect(decode(shape, "😀😀😀").value == "😀😀😀")
        #expect(decode(shape, "é").value == nil)
        #expect(decode(shape, "éééé").value == nil)
        #expect(decode(shape, "abcd").complaints == ["must have 2 to 3 characters, but has 4"])
    }

    @Test(
        "text rules take what they name",
        arguments: [
            (TextRule.slug, ["a", "a-b", "0-9-z"], ["", "-a", "a-", "a--b", "A", "a_b", "é"]),
            (.email, ["a@b", "é@x.org"], ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n"]),
            (.line, ["a", " a ", "é😀"], ["", " ", "\t", "a\nb", "a\u{7F}", "\u{A0}"]),
            (.code, ["", "A-1", "a.b_c:d/e"], [" ", "a b", "é", "@", "[", "`", "{"]),
        ])
    func rules(rule: TextRule, good: [String], bad: [String]) {
        for text in good { #expect(rule.holds(text), "\(rule.name): \(text)") }
        for text in bad { #expect(!rule.holds(text), "\(rule.name): \(text)") }
    }

    @Test("enumerations, constants, currencies and times say what they take")
    func complaints() {
        #expect(decode(.enumeration(Colour.self), "pink").complaints == ["must be one of red, green, blue"])
        #expect(decode(.constant("1.0"), "1.1").complaints == ["must be 1.0"])
        #expect(decode(.constant("1.0"), "1.0").value == "1.0")
        #expect(decode(.currency, "EURO").complaints == ["must be a currency code of ISO 4217"])
        #expect(decode(.timestamp, "yesterday").complaints.first?.contains("RFC 3339") == true)
        #expect(decode(.identifier(ThingID.self), "7").complaints == ["must be a UUID of 36 characters"])
    }

    @Test("a converted shape complains in its own words and writes the old form")
    func converted() {
        let even = Shape<Int64>.integer(0...100)
            .converted(orSay: "must be even", { $0 % 2 == 0 ? Int($0 / 2) : nil }, back: { Int64($0 * 2) })
        #expect(decode(even, 8).value == 4)
        #expect(encode(even, 4) == "8")
        #expect(decode(even, 7).complaints == ["must be even"])
        #expect(decode(even, 102).complaints == ["must be between 0 and 100"])
        #expect(
            decode(Shape<String>.string().checked(orSay: "must be x") { $0 == "x" }, "y").complaints == ["must be x"])
    }

    @Test("null is nil where a shape is nullable, and refused elsewhere")
    func nullable() {
        let shape = Shape<String>.string(1...9)
        #expect(decode(shape.nullable, nil).value == .some(nil))
        #expect(decode(shape.nullable, "x").value == "x")
        #expect(decode(shape, nil).value == nil)
        #expect(encode(shape.nullable, nil) == "null")
    }

    @Test("a shape that is only written can't be read")
    func writeOnly() {
        #expect(!Thing.shape.isReadable)
        #expect(decode(Thing.shape, [:]).complaints.count == 1)
        #expect(!Shape<[Thing]>.array(of: Thing.shape).isReadable)
    }

    @Test("any JSON passes through unchanged")
    func anyJSON() throws {
        let json = try JSON.parse(#"{"a":[1.50,{"b":null}]}"#)
        #expect(decode(.json, json).value == json)
        #expect(encode(.json, json) == json.description)
    }
}
