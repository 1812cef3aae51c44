import Foundation
import Kernel
import Testing

@Suite("Reading JSON")
struct JSONParserTests {
    @Test(
        "strict JSON is read",
        arguments: [
            ("null", .null), (" true ", true), ("false", false), ("0", .number("0")), ("-0", .number("-0")),
            ("1e400", .number("1e400")), ("-1.50E-3", .number("-1.50E-3")),
            ("12345678901234567890.0001", .number("12345678901234567890.0001")), ("\"\"", ""), ("[]", []), ("{}", [:]),
            ("[1,[2,[]],{}]", [1, [2, []], [:]]), ("{\"b\":1,\"a\":null}", ["b": 1, "a": nil]),
            ("\t\n\r {\"a\" : [ 1 , 2 ] }\n", ["a": [1, 2]]), ("{\"\":{\"\":0}}", ["": ["": 0]]),
            ("\"\\u0041\\n\\t\\r\\b\\f\\/\\\\\\\"\"", "A\n\t\r\u{8}\u{C}/\\\""), ("\"\\ud83d\\ude00\"", "😀"),
            ("\"\\uD834\\uDD1E\"", "𝄞"), ("\"\\u0000\"", "\0"), ("\"\u{7F}é€😀\\u00e9\"", "\u{7F}é€😀é"),
            ("\"\u{FEFF}\"", "\u{FEFF}"),
        ] as [(String, JSON)])
    func accepted(text: String, value: JSON) throws {
        #expect(try JSON.parse(text) == value)
    }

    @Test(
        "everything else is refused, with its place",
        arguments: [
            ("", .unexpectedEnd, 1, 1), ("  ", .unexpectedEnd, 1, 3), ("[", .unexpectedEnd, 1, 2),
            ("{\"a\"", .unexpectedEnd, 1, 5), ("\"abc", .unexpectedEnd, 1, 5), ("\"\\", .unexpectedEnd, 1, 3),
            ("\"\\u12", .unexpectedEnd, 1, 6), ("tru", .unexpectedEnd, 1, 4), ("-", .unexpectedEnd, 1, 2),
            ("1.", .unexpectedEnd, 1, 3), ("1e+", .unexpectedEnd, 1, 4), ("[1,]", .unexpectedCharacter, 1, 4),
            ("[,1]", .unexpectedCharacter, 1, 2), ("[1 2]", .unexpectedCharacter, 1, 4),
            ("{\"a\":1,}", .unexpectedCharacter, 1, 8), ("{a:1}", .unexpectedCharacter, 1, 2),
            ("{'a':1}", .unexpectedCharacter, 1, 2), ("{\"a\" 1}", .unexpectedCharacter, 1, 6),
            ("{\"a\":}", .unexpectedCharacter, 1, 6), ("{1:1}", .unexpectedCharacter, 1, 2),
            ("[1}", .unexpectedCharacter, 1, 3), ("trve", .unexpectedCharacter, 1, 3),
            ("True", .unexpectedCharacter, 1, 1), ("NaN", .unexpectedCharacter, 1, 1),
            ("nul l", .unexpectedCharacter, 1, 4), ("Infinity", .unexpectedCharacter, 1, 1),
            ("// x\n1", .unexpectedCharacter, 1, 1), ("\u{FEFF}1", .unexpectedCharacter, 1, 1),
            ("\u{A0}1", .unexpectedCharacter, 1, 1), ("\u{C}1", .unexpectedCharacter, 1, 1),
            ("+1", .unexpectedCharacter, 1, 1), (".5", .unexpectedCharacter, 1, 1), ("01", .invalidNumber, 1, 1),
            ("-01", .invalidNumber, 1, 1), ("1.e5", .invalidNumber, 1, 1), ("-x", .invalidNumber, 1, 1),
            ("[\n 1e]", .invalidNumber, 2, 2), ("0x10", .trailingBytes, 1, 2), ("1 1", .trailingBytes, 1, 3),
            ("{}}", .trailingBytes, 1, 3), ("null,", .trailingBytes, 1, 5), ("1\0", .trailingBytes, 1, 2),
            ("{\"a\":1,\"b\":2,\"a\":3}", .duplicateName, 1, 14),
            ("{\"a\":1,\n \"\\u0061\":3}", .duplicateName, 2, 2), ("\"a\nb\"", .controlCharacter, 1, 3),
            ("\"a\u{1F}\"", .controlCharacter, 1, 3), ("\"\\n\u{0}\"", .controlCharacter, 1, 4),
            ("\"\\x\"", .invalidEscape, 1, 2), ("\"\\u12G4\"", .invalidEscape, 1, 2),
            ("\"\\U0041\"", .invalidEscape, 1, 2),
            ("\"\\ud800\"", .loneSurrogate, 1, 2), ("\"\\ude00\\ud83d\"", .loneSurrogate, 1, 2),
            ("\"\\ud800\\ud800\"", .loneSurrogate, 1, 2), ("\"\\ud800x\"", .loneSurrogate, 1, 2),
        ] as [(String, JSONError.Reason, Int, Int)])
    func refused(text: String, reason: JSONError.Reason, line: Int, column: Int) {
        #expect(throws: JSONError(reason: reason, line: line, column: column)) { try JSON.parse(text) }
    }

    @Test(
        "bytes that are not UTF-8 are refused wherever they stand",
        arguments: [
            [0x80], [0xC3], [0xC3, 0x28], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF5, 0x80, 0x80, 0x80],
            [0xF0, 0x80, 0x80, 0x80], [0xFF], [0xFE, 0xFF],
        ] as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        let quote = [UInt8(ascii: "\"")]
        for text in [quote + bytes + quote, quote + Array("\\n".utf8) + bytes + quote] {
            let error = #expect(throws: JSONError.self) { try JSON.parse(text) }
            #expect(error?.reason == .invalidUTF8)
        }
        #expect(throws: JSONError.self) { try JSON.parse(bytes) }
    }

    @Test("64 levels are read, and 65 are not, also a million")
    func depth() throws {
        func nested(_ levels: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: levels) + "0" + String(repeating: close, count: levels)
        }
        #expect(throws: Never.self) { try JSON.parse(nested(64, "[", "]")) }
        #expect(throws: Never.self) { try JSON.parse(nested(64, "{\"a\":", "}")) }
        let error = #expect(throws: JSONError.self) { try JSON.parse(nested(65, "[", "]")) }
        #expect(error == JSONError(reason: .tooDeep, line: 1, column: 65))
        #expect(throws: JSONError.self) { try JSON.parse(String(repeating: "[", count: 1_000_000)) }
        // Levels are counted, not brackets.
        #expect(throws: Never.self) { try JSON.parse("[" + String(repeating: "[],", count: 1000) + "[]]") }
    }

    @Test("repeated names are found among many as among few, and at every level", arguments: [2, 15, 16, 17, 500])
    func duplicates(count: Int) throws {
        let names = (0..<count).map { "\"n\($0)\":{\"x\":1}" }
        #expect(throws: Never.self) { try JSON.parse("{" + names.joined(separator: ",") + "}") }
        for repeated in [0, count / 2, count - 1] {
            let text = "{" + (names + ["\"n\(repeated)\":1"]).joined(separator: ",") + "}"
            let error = #expect(throws: JSONError.self) { try JSON.parse(text) }
            #expect(error?.reason == .duplicateName)
        }
        #expect(throws: JSONError.self) { try JSON.parse("[{\"a\":{\"b\":1,\"b\":1}}]") }
    }

    @Test("an object of many names is read in less than quadratic time")
    func manyNames() throws {
        let names = (0..<60_000).map { "\"n\($0)\":0" }.joined(separator: ",")
        let start = ContinuousClock.now
        _ = try JSON.parse("{\(names)}")
        // Comparing each with each would take minutes.
        #expect(start.duration(to: .now) < .seconds(20))
    }

    @Test("what Foundation writes, we read to the same value; what we write, Foundation reads")
    func againstFoundation() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let value = randomJSON(depth: 4, &random)
            let text = value.description
            #expect(try JSON.parse(text) == value)
            let theirs = try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
            let rewritten = try JSONSerialization.data(withJSONObject: ["v": theirs], options: [])
            let ours = try #require(try JSON.parse(rewritten)["v"])
            #expect(sorted(ours) == sorted(value))
        }
    }

    @Test("no cut or flipped byte of a good text crashes the reader, and each verdict is Foundation's or stricter")
    func mutations() throws {
        let text = Array(#"{"a":[1,-2.5e+3,"é\u00e9\\",true,null],"b":{"c":"😀"}}"#.utf8)
        for index in text.indices {
            _ = try? JSON.parse(text[..<index])
            for flip in [1, 0x20, 0x80] as [UInt8] {
                var mutated = text
                mutated[index] ^= flip
                let isTaken = (try? JSON.parse(mutated)) != nil
                let isTheirs =
                    (try? JSONSerialization.jsonObject(with: Data(mutated), options: .fragmentsAllowed)) != nil
                #expect(!isTaken || isTheirs, "\(String(decoding: mutated, as: UTF8.self))")
            }
        }
    }

    private func sorted(_ json: JSON) -> JSON {
        switch json {
        case .object(let object):
            .object(
                JSONObject(
                    object.members.map { .init(name: $0.name, value: sorted($0.value)) }.sorted { $0.name < $1.name }))
        case .array(let elements): .array(elements.map(sorted))
        default: json
        }
    }

    private func randomJSON(depth: Int, _ random: inout some RandomNumberGenerator) -> JSON {
        switch Int.random(in: 0..<(depth == 0 ? 4 : 6), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .number(String(Int.random(in: -1_000_000...1_000_000, using: &random)))
        case 3: return .string(randomText(&random))
        case 4:
            return .array(
                (0..<Int.random(in: 0..<5, using: &random)).map { _ in randomJSON(depth: depth - 1, &random) })
        default:
            var object = JSONObject()
            for _ in 0..<Int.random(in: 0..<5, using: &random) {
                object[randomText(&random)] = randomJSON(depth: depth - 1, &random)
            }
            return .object(object)
        }
    }

    private func randomText(_ random: inout some RandomNumberGenerator) -> String {
        let alphabet: [Character] = ["a", "é", "\"", "\\", "/", "\n", "\u{1}", "😀", "\u{2028}", "x", "0", "\u{7F}"]
        return String((0..<Int.random(in: 0..<12, using: &random)).map { _ in alphabet.randomElement(using: &random)! })
    }
}
