import Kernel
import Testing

@Suite("Writing JSON")
struct JSONWriterTests {
    @Test("commas and colons put themselves in, at every level")
    func structure() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.name("a")
        writer.integer(1)
        writer.name("b")
        writer.beginArray()
        writer.beginObject()
        writer.endObject()
        writer.beginArray()
        writer.endArray()
        writer.null()
        writer.bool(true)
        writer.bool(false)
        writer.string("x")
        writer.endArray()
        writer.name("c")
        writer.value(["d": nil, "e": [1, "2"]])
        writer.name("f")
        writer.string("")
        writer.endObject()
        let text = String(decoding: writer.bytes, as: UTF8.self)
        #expect(text == #"{"a":1,"b":[{},[],null,true,false,"x"],"c":{"d":null,"e":[1,"2"]},"f":""}"#)
    }

    @Test("integers are written whole", arguments: [0, -1, 7, 10, -10, 1_234_567_890, .max, .min] as [Int64])
    func integers(value: Int64) {
        var writer = JSONWriter()
        writer.integer(value)
        #expect(String(decoding: writer.bytes, as: UTF8.self) == String(value))
    }

    @Test("what JSON wants escaped is, in names as in texts, and nothing else")
    func escapes() {
        let text = "\"\\\u{8}\u{9}\u{A}\u{C}\u{D}\u{0}\u{1F}/é😀\u{7F}"
        let json: JSON = .object(JSONObject([.init(name: text, value: .string(text))]))
        let written = #""\"\\\b\t\n\f\r\u0000\u001f/é😀"# + "\u{7F}\""
        #expect(json.description == "{\(written):\(written)}")
    }

    @Test("numbers keep the text they were read from")
    func numbers() throws {
        let text = "[1.0,1e5,0.10,-0,123456789012345678901234567890]"
        #expect(try JSON.parse(text).description == text)
    }

    @Test("values are found by name and place, and of the wrong kind not at all")
    func access() {
        let json: JSON = ["a": [1, "two"], "b": 3]
        #expect(json["a"]?[1]?.string == "two")
        #expect(json["a"]?[2] == nil)
        #expect(json["a"]?["x"] == nil)
        #expect(json["b"]?.int64 == 3)
        #expect(JSON.number("3.0").int64 == nil)
        #expect(json["c"] == nil)
        #expect(json.string == nil)
        #expect(json["a"]?.elements?.count == 2)
    }

    @Test("setting a member keeps its place, and nil takes it away")
    func editing() {
        var object = JSONObject([.init(name: "a", value: 1), .init(name: "b", value: 2)])
        object["a"] = 3
        object["c"] = 4
        object["b"] = nil
        object["d"] = nil
        #expect(JSON.object(object).description == #"{"a":3,"c":4}"#)
    }
}
