import Foundation
import Kernel
import Testing
import Web

@Suite("OpenAPI")
struct OpenAPITests {
    private let document: JSON

    init() throws {
        document = try OpenAPIDocument(sampleEndpoints(ThingStore())).json
    }

    private func operation(_ method: String, _ path: String) -> JSON? { document["paths"]?[path]?[method] }

    @Test("an independent validator finds nothing wrong with what is served")
    func independentlyValid() async throws {
        try await withServer { server in
            let answer = try await server.call("GET", "/openapi.json", bearer: nil)
            #expect(answer.status == 200)
            let verdict = try await Python.validate(openAPI: answer.body)
            #expect(verdict.isValid, "\(verdict.output)")
        }
    }

    @Test("the validator can tell: a broken document is refused")
    func validatorWorks() async throws {
        guard case .object(var broken) = document else { return }
        broken["paths"] = ["/x": ["get": ["responses": 7]]]
        let verdict = try await Python.validate(openAPI: Array(JSON.object(broken).description.utf8))
        #expect(!verdict.isValid)
    }

    @Test("every example of a body or an answer is valid under its own schema")
    func examples() async throws {
        let verdict = try await Python.run(checkExamples, input: Array(document.description.utf8))
        #expect(verdict.isValid, "\(verdict.output)")
        #expect(verdict.output.contains("checked"))
    }

    @Test("an operation says who may call it, what it takes and everything it answers")
    func wholeOperation() throws {
        let create = try #require(operation("post", "/api/v1/things"))
        #expect(create["operationId"] == "createThing")
        #expect(create["tags"] == ["Things"])
        #expect(create["security"] == [["bearer": []]])
        #expect(
            create["requestBody"]?["content"]?["application/json"]?["schema"]
                == ["$ref": "#/components/schemas/NewThing"])
        #expect(create["requestBody"]?["content"]?["application/json"]?["example"]?["name"] == "lamp")
        #expect(names(create) == ["RequestId", "TraceParent", "TenantId", "IdempotencyKey"])
        let headers = create["responses"]?["201"]?["headers"]
        #expect(headers?["ETag"] != nil && headers?["Location"] != nil && headers?["Idempotency-Replayed"] != nil)
        #expect(
            slugs(create, 400) == [
                "malformed-request", "invalid-parameter", "malformed-json", "idempotency-key-missing",
            ])
        #expect(slugs(create, 401) == ["unauthenticated"])
        #expect(slugs(create, 403) == ["tenant-mismatch", "tenant-suspended", "forbidden"])
        #expect(slugs(create, 409) == ["name-taken", "request-in-flight"])
        #expect(slugs(create, 422) == ["invalid-body", "idempotency-key-reused"])
        for status in [408, 413, 415, 500, 503] { #expect(!slugs(create, status).isEmpty, "\(status)") }
    }

    @Test("a change asks for If-Match, and a read does not")
    func preconditions() throws {
        let rename = try #require(operation("put", "/api/v1/things/{id}/name"))
        #expect(names(rename).contains("IfMatch"))
        #expect(slugs(rename, 412) == ["stale-version"])
        #expect(slugs(rename, 428) == ["precondition-required"])
        let show = try #require(operation("get", "/api/v1/things/{id}"))
        #expect(!names(show).contains("IfMatch"))
        #expect(slugs(show, 403) == ["tenant-mismatch"])
    }

    @Test("paths that all may call ask for no credentials, and the operator's ask for his key")
    func security() throws {
        #expect(operation("post", "/echo")?["security"] == [])
        #expect(operation("get", "/operator")?["security"] == [["operator": []]])
        #expect(operation("get", "/either")?["security"] == [["operator": []], ["bearer": []]])
    }

    @Test("parameters carry their place, schema and default")
    func parameters() throws {
        let list = try #require(operation("get", "/api/v1/things"))
        let parameters = try #require(list["parameters"]?.elements)
        let depth = try #require(parameters.first { $0["name"] == "depth" })
        #expect(depth["in"] == "query")
        #expect(depth["required"] == false)
        #expect(depth["schema"]?["default"]?.int64 == 2)
        #expect(parameters.contains { $0["name"] == "limit" && $0["schema"]?["maximum"]?.int64 == 100 })
        #expect(parameters.contains { $0["name"] == "cursor" })
    }

    @Test("a body that is read is closed to unknown fields, and one that is written is open to new ones")
    func closedAndOpen() {
        let schemas = document["components"]?["schemas"]
        #expect(schemas?["NewThing"]?["additionalProperties"] == false)
        #expect(schemas?["NewThing"]?["required"] == ["name", "parts", "weight"])
        #expect(schemas?["Thing"]?["additionalProperties"] == nil)
        #expect(schemas?["ThingPage"] != nil)
        #expect(schemas?["Problem"] != nil)
    }

    private func names(_ operation: JSON) -> [String] {
        (operation["parameters"]?.elements ?? []).compactMap {
            $0["$ref"]?.string?.replacing("#/components/parameters/", with: "")
        }
    }

    private func slugs(_ operation: JSON, _ status: Int) -> [String] {
        let content = operation["responses"]?[String(status)]?["content"]?["application/problem+json"]
        guard case .object(let examples)? = content?["examples"] else { return [] }
        return examples.members.map(\.name)
    }
}

/// Looks at every `schema` that stands beside an `example`, with a JSON Schema validator that isn't ours.
private let checkExamples = """
    import json, sys
    from jsonschema import Draft202012Validator, FormatChecker
    document = json.load(sys.stdin)
    checked = 0
    def look(node, path):
        global checked
        if isinstance(node, dict):
            values = []
            if "schema" in node and "example" in node: values = [node["example"]]
            if "schema" in node and "examples" in node: values = [e["value"] for e in node["examples"].values()]
            for value in values:
                schema = dict(node["schema"], components=document["components"])
                Draft202012Validator.check_schema(schema)
                for error in Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(value):
                    print(path, error.message); sys.exit(1)
                checked += 1
            for name, child in node.items(): look(child, path + "/" + name)
        elif isinstance(node, list):
            for index, child in enumerate(node): look(child, path + "/" + str(index))
    look(document, "")
    print("checked", checked)
    sys.exit(0 if checked > 50 else 1)
    """
