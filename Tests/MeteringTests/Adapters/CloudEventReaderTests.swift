import Kernel
import Metering
import Testing
import Web

@testable import MeteringAdapters

@Suite("A CloudEvent")
struct CloudEventReaderTests {
    private static let good = """
        {"specversion":"1.0","id":"e-1","source":"/gateways/fra-3","type":"com.example.call","subject":"disk",\
        "time":"2026-02-03T09:30:00.5+01:00","datacontenttype":"application/json; charset=utf-8",\
        "dataschema":"https://example.com/s","traceparent":"00-a-b-01","partitionkey":7,"sampled":true,\
        "data":{"meter":"egress","value":"12.50","dimensions":{"region":"eu","http.status":"200"}}}
        """

    /// The good event with one member set to other JSON, or taken away.
    private static func changed(_ path: [String], to json: String?) throws -> JSON {
        func set(_ target: JSON, _ path: ArraySlice<String>) throws -> JSON {
            guard let name = path.first else { return target }
            guard case .object(var object) = target else { return target }
            if path.count == 1 {
                object[name] = try json.map { text throws in try JSON.parse(text) }
            } else {
                object[name] = try set(object[name] ?? [:], path.dropFirst())
            }
            return .object(object)
        }
        return try set(JSON.parse(good), path[...])
    }

    private func violations(_ json: JSON) -> [String] {
        var reader = CloudEventReader()
        #expect(reader.read(json) == nil)
        return reader.violations.map { violation in
            guard case .body(let tokens) = violation.place else { return "?" }
            return "/" + tokens.joined(separator: "/") + " " + violation.detail
        }
    }

    @Test("is read with all that counts; extension attributes are let by")
    func good() throws {
        var reader = CloudEventReader()
        let event = try #require(reader.read(try JSON.parse(Self.good)), "\(reader.violations)")
        #expect(event.identity == UsageIdentity(source: "/gateways/fra-3", id: "e-1"))
        #expect(event.type == "com.example.call" && event.subject == "disk" && event.meter.text == "egress")
        #expect(event.time?.description == "2026-02-03T08:30:00.5Z" && event.value?.text == "12.5")
        #expect(event.dimensions == ["region": "eu", "http.status": "200"])
    }

    @Test("needs no more than its four attributes, and takes null for what is left out")
    func least() throws {
        for text in [
            #"{"specversion":"1.0","id":"1","source":"s","type":"api.calls"}"#,
            """
            {"specversion":"1.0","id":"1","source":"s","type":"api.calls","subject":null,"time":null,\
            "datacontenttype":null,"data":null,"myext":null}
            """,
            #"{"specversion":"1.0","id":"1","source":"s","type":"api.calls","data":{"meter":null,"value":null,"dimensions":null}}"#,
        ] {
            var reader = CloudEventReader()
            let event = try #require(reader.read(try JSON.parse(text)), "\(reader.violations)")
            #expect(
                event.meter.text == "api.calls" && event.time == nil && event.value == nil && event.dimensions == [:])
        }
    }

    @Test("takes a value as number or string, and never through a binary fraction")
    func values() throws {
        for (json, text) in [
            ("0.1", "0.1"), ("\"0.1\"", "0.1"), ("1e2", "100"),
            ("123456789012345.000000000001", "123456789012345.000000000001"),
            ("9007199254740993", nil), ("900719925474099.3", "900719925474099.3"),
        ] {
            var reader = CloudEventReader()
            let event = reader.read(try Self.changed(["data", "value"], to: json))
            #expect(event?.value?.text == text, "\(json)")
        }
    }

    @Test("is refused without a required attribute", arguments: ["specversion", "id", "source", "type"])
    func missing(_ name: String) throws {
        for value in [nil, "null"] as [String?] {
            #expect(violations(try Self.changed([name], to: value)).contains("/\(name) is missing"))
        }
    }

    @Test(
        "is refused with a clear word for each mistake",
        arguments: [
            (["specversion"], "\"0.3\"", "must be 1.0"), (["specversion"], "1.0", "must be a string"),
            (["id"], "\"\"", "must have 1 to 255"), (["id"], "7", "must be a string"), (["id"], "\"a\\nb\"", "control"),
            (["source"], "\"\"", "must have 1 to 500"), (["source"], "\"two words\"", "URI reference"),
            (["source"], "\"/x%zz\"", "URI reference"), (["source"], "\"/x%2\"", "URI reference"),
            (["source"], "\"/ü\"", "URI reference"), (["type"], "[]", "must be a string"),
            (["subject"], "\"\"", "must have 1 to 500"), (["time"], "\"yesterday\"", "RFC 3339"),
            (["time"], "\"2026-02-30T00:00:00Z\"", "RFC 3339"), (["time"], "1770111000", "must be a string"),
            (["datacontenttype"], "\"text/xml\"", "must be application/json"),
            (["data_base64"], "\"AA==\"", "send the data as JSON"), (["MyExt"], "\"x\"", "no attribute's name"),
            (["my-ext"], "\"x\"", "no attribute's name"), (["myext"], "{}", "must be a string, a number or a boolean"),
            (["myext"], "[1]", "must be a string, a number or a boolean"), (["data"], "\"{}\"", "must be an object"),
            (["data"], "[]", "must be an object"), (["data", "valeu"], "1", "is not a known field"),
            (["data", "meter"], "\"API calls\"", "must be a meter's key"),
            (["data", "meter"], "7", "must be a meter's key"),
            (["data", "value"], "\"a lot\"", "must be a decimal number"),
            (["data", "value"], "true", "must be a decimal"),
            (["data", "value"], "-1", "must not be negative"), (["data", "value"], "1e400", "must be below"),
            (["data", "value"], "1e-13", "decimal places"), (["data", "dimensions"], "[]", "must be an object"),
            (["data", "dimensions", "a b"], "\"x\"", "must be named by"),
            (["data", "dimensions", "n"], "7", "must be a string"),
            (["data", "dimensions", "n"], "\"\"", "must have 1 to 200"),
        ])
    func mistakes(_ path: [String], _ json: String, _ word: String) throws {
        let found = violations(try Self.changed(path, to: json))
        #expect(found.contains { $0.hasPrefix("/" + path.joined(separator: "/")) && $0.contains(word) }, "\(found)")
    }

    @Test("whose type is no meter's key must name one")
    func typeIsNoKey() throws {
        var json = try Self.changed(["data", "meter"], to: nil)
        guard case .object(var object) = json else { return }
        object["type"] = "Com.Example"
        json = .object(object)
        #expect(violations(json) == ["/data/meter is missing, and the event's type is no meter's key either"])
    }

    @Test("is told every mistake at once")
    func all() throws {
        #expect(violations(["specversion": "2", "id": "", "data": ["value": "x"]]).count == 5)
        #expect(violations("text") == ["/ must be a CloudEvent: a JSON object"])
    }

    @Test("has at most twenty dimensions")
    func dimensions() throws {
        let many = JSON.object(JSONObject((0..<21).map { .init(name: "d\($0)", value: "x") }))
        let found = violations(try Self.changed(["data", "dimensions"], to: many.description))
        #expect(found == ["/data/dimensions must have at most 20 members, but has 21"])
    }
}
