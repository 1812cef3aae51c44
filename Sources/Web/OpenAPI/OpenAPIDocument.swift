import HTTPTypes
package import Kernel

/// The OpenAPI 3.1 description of a set of endpoints.
package struct OpenAPIDocument: Sendable {
    package let json: JSON

    package init(_ endpoints: [Endpoint], title: String = "Atrium", version: String = "1.0.0") throws(RouteMistakes) {
        let endpoints = endpoints + [Endpoint.openAPI { [] }]
        try check(endpoints)
        json = [
            "openapi": "3.1.0",
            "info": [
                "title": .string(title), "version": .string(version),
                "description": """
                Every error is a problem of RFC 9457 with a stable `type`. Lists go on by cursor. Creating requests \
                carry an Idempotency-Key, and changes of what has an ETag an If-Match.
                """,
                "license": ["name": "Proprietary", "url": "https://atrium.dev/license"],
            ],
            "servers": [["url": "/"]],
            "tags": .array(tags(endpoints)),
            "paths": paths(endpoints),
            "components": components(endpoints),
        ]
    }

    /// Serves the document.
    var endpoint: Endpoint {
        var writer = JSONWriter(capacity: 1 << 16)
        writer.value(json)
        let bytes = writer.bytes
        return .openAPI { bytes }
    }
}

extension Endpoint {
    fileprivate static func openAPI(_ bytes: @escaping @Sendable () -> [UInt8]) -> Endpoint {
        Endpoint(
            get: "/openapi.json", "getOpenAPI",
            outline: .init(
                tag: Endpoint.systemTag, summary: "This description, as OpenAPI 3.1", about: "", access: .open,
                parameters: [],
                contents: [], isIdempotent: false, needsIfMatch: false,
                success: .init(
                    status: 200, about: "The description.", schema: ["type": "object"],
                    example: ["openapi": "3.1.0", "info": ["title": "Atrium", "version": "1.0.0"], "paths": [:]]),
                problems: [], definitions: Definitions())
        ) {
            Outgoing(status: 200, contentType: .json, body: bytes())
        }
    }
}

private func tags(_ endpoints: [Endpoint]) -> [JSON] {
    var seen: Set<String> = []
    return endpoints.map(\.outline.tag).filter { seen.insert($0).inserted }.map { ["name": .string($0)] }
}

private func paths(_ endpoints: [Endpoint]) -> JSON {
    var paths = JSONObject()
    for endpoint in endpoints {
        var item = JSONObject()
        if case .object(let there)? = paths[endpoint.path] { item = there }
        item[endpoint.method.rawValue.lowercased()] = operation(endpoint)
        paths[endpoint.path] = .object(item)
    }
    return .object(paths)
}

private func components(_ endpoints: [Endpoint]) -> JSON {
    var definitions = Definitions()
    for endpoint in endpoints { definitions.merge(endpoint.outline.definitions) }
    definitions = definitions.adding("Problem", problemSchema)
    var schemas = JSONObject()
    for (name, schema) in definitions.schemas.sorted(by: { $0.key < $1.key }) { schemas[name] = schema }
    return [
        "schemas": .object(schemas),
        "parameters": sharedParameters,
        "headers": sharedHeaders,
        "securitySchemes": [
            "bearer": [
                "type": "http", "scheme": "bearer", "description": "A session's token or an API key of the tenant.",
            ],
            "operator": ["type": "http", "scheme": "bearer", "description": "The operator's key."],
        ],
    ]
}
