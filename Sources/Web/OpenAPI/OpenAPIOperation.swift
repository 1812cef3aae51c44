import Kernel

func operation(_ endpoint: Endpoint) -> JSON {
    let outline = endpoint.outline
    var operation = JSONObject()
    operation["operationId"] = .string(endpoint.operation)
    operation["tags"] = [.string(outline.tag)]
    operation["summary"] = .string(outline.summary)
    if !outline.about.isEmpty { operation["description"] = .string(outline.about) }
    operation["security"] = security(outline.access)
    let parameters = outline.parameters.map(parameter) + headers(endpoint)
    if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
    if !outline.contents.isEmpty {
        var contents = JSONObject()
        for content in outline.contents {
            contents[content.mediaType] = ["schema": content.schema, "example": content.example]
        }
        operation["requestBody"] = ["required": true, "content": .object(contents)]
    }
    operation["responses"] = responses(endpoint)
    return .object(operation)
}

private func security(_ rule: AccessRule) -> JSON {
    switch rule {
    case .open: []
    case .operatorOnly: [["operator": []]]
    case .operatorOrTenant: [["operator": []], ["bearer": []]]
    case .tenant: [["bearer": []]]
    }
}

private func parameter(_ specification: ParameterSpecification) -> JSON {
    var parameter: JSONObject = .init([
        .init(name: "name", value: .string(specification.name)),
        .init(name: "in", value: .string(specification.place.rawValue)),
        .init(name: "required", value: .bool(specification.isRequired)),
        .init(name: "schema", value: specification.schema),
    ])
    if !specification.about.isEmpty { parameter["description"] = .string(specification.about) }
    if let example = specification.example { parameter["example"] = example }
    return .object(parameter)
}

private func headers(_ endpoint: Endpoint) -> [JSON] {
    let outline = endpoint.outline
    var names = ["RequestId", "TraceParent"]
    switch outline.access {
    case .tenant, .operatorOrTenant:
        names.append("TenantId")
        if endpoint.method == .get { names.append("Consistency") }
    case .open, .operatorOnly: break
    }
    if outline.isIdempotent { names.append("IdempotencyKey") }
    if outline.needsIfMatch { names.append("IfMatch") }
    return names.map { ["$ref": "#/components/parameters/\($0)"] }
}

// MARK: Responses

private func responses(_ endpoint: Endpoint) -> JSON {
    var responses = JSONObject()
    responses[String(endpoint.outline.success.status)] = success(endpoint)
    for (status, types) in Dictionary(grouping: problems(of: endpoint), by: \.status).sorted(by: { $0.key < $1.key }) {
        responses[String(status)] = problemResponse(types)
    }
    return .object(responses)
}

private func success(_ endpoint: Endpoint) -> JSON {
    let outline = endpoint.outline
    let answer = outline.success
    var headers = responseHeaders
    if answer.isVersioned { headers["ETag"] = ["$ref": "#/components/headers/ETag"] }
    if answer.hasLocation { headers["Location"] = ["$ref": "#/components/headers/Location"] }
    if endpoint.method != .get { headers["Atrium-Consistency"] = ["$ref": "#/components/headers/Consistency"] }
    if outline.isIdempotent {
        headers["Idempotency-Replayed"] = ["$ref": "#/components/headers/IdempotencyReplayed"]
    }
    var response: JSONObject = .init([.init(name: "description", value: .string(answer.about))])
    response["headers"] = .object(headers)
    if let schema = answer.schema {
        var media: JSONObject = .init([.init(name: "schema", value: schema)])
        media["example"] = answer.example
        response["content"] = .object(.init([.init(name: answer.mediaType, value: .object(media))]))
    }
    return .object(response)
}

private func problemResponse(_ types: [ProblemType]) -> JSON {
    var headers = responseHeaders
    for type in types {
        switch type {
        case .unauthenticated: headers["WWW-Authenticate"] = ["$ref": "#/components/headers/WWWAuthenticate"]
        case .unavailable, .requestInFlight: headers["Retry-After"] = ["$ref": "#/components/headers/RetryAfter"]
        default: break
        }
    }
    var examples = JSONObject()
    for type in types { examples[type.slug] = ["summary": .string(type.title), "value": example(of: type)] }
    let lines = types.map { "- `\($0.slug)`: \($0.title)." + ($0.about.isEmpty ? "" : " \($0.about)") }
    return [
        "description": .string(lines.joined(separator: "\n")),
        "headers": .object(headers),
        "content": [
            "application/problem+json": [
                "schema": ["$ref": "#/components/schemas/Problem"], "examples": .object(examples),
            ]
        ],
    ]
}

/// The endpoint's own problems, and the ones that follow from what it declares.
func problems(of endpoint: Endpoint) -> [ProblemType] {
    let outline = endpoint.outline
    var types: [ProblemType] = outline.problems
    types += [.malformedRequest, .invalidParameter, .internalError]
    switch outline.access {
    case .open: break
    case .operatorOnly: types.append(.unauthenticated)
    case .tenant(let access), .operatorOrTenant(let access):
        types += [.unauthenticated, .tenantMismatch, .unavailable]
        if access == .write { types += [.tenantSuspended, .forbidden] }
    }
    if case .open = outline.access, outline.contents.isEmpty {} else { types.append(.unavailable) }
    if !outline.contents.isEmpty {
        types += [.malformedJSON, .invalidBody, .contentTooLarge, .unsupportedMediaType, .requestTimeout]
    }
    if outline.isIdempotent { types += [.idempotencyKeyMissing, .idempotencyKeyReused, .requestInFlight] }
    if outline.needsIfMatch { types += [.preconditionRequired, .staleVersion] }
    var seen: Set<ProblemType> = []
    return types.filter { seen.insert($0).inserted }
}
