import Kernel

/// What the operations refer to.
let sharedParameters: JSON = [
    "RequestId": [
        "name": "X-Request-Id", "in": "header", "required": false,
        "description": "Names the request in answers and logs; one that doesn't fit is replaced.",
        "schema": ["type": "string"], "example": "checkout-7",
    ],
    "TraceParent": [
        "name": "traceparent", "in": "header", "required": false,
        "description": "W3C Trace Context; one that can't be read begins a new trace.", "schema": ["type": "string"],
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ],
    "TenantId": [
        "name": "X-Tenant-Id", "in": "header", "required": false,
        "description": "The id or the slug of the tenant that the credentials belong to; another is refused.",
        "schema": ["type": "string"], "example": "acme",
    ],
    "Consistency": [
        "name": "Atrium-Consistency", "in": "header", "required": false,
        "description": """
        What an earlier answer gave in this header: the read shows what that request wrote, or newer. Without it, a \
        replica may answer that is some moments behind.
        """,
        "schema": ["type": "string"], "example": "v1.home.16b3748",
    ],
    "IdempotencyKey": [
        "name": "Idempotency-Key", "in": "header", "required": true,
        "description": """
        A key of the client's making: a request repeated with the same key takes effect once, and gets the first \
        answer again. Quoted as a structured-field string, or bare.
        """,
        "schema": ["type": "string", "minLength": 1, "maxLength": 257],
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    ],
    "IfMatch": [
        "name": "If-Match", "in": "header", "required": true,
        "description": "The ETag that was last read: one strong entity tag.",
        "schema": ["type": "string", "pattern": "^(W/)?\".*\"$"], "example": "\"3\"",
    ],
]

let sharedHeaders: JSON = [
    "RequestId": [
        "description": "Names the request in logs.", "required": true, "schema": ["type": "string"],
        "example": "checkout-7",
    ],
    "TraceParent": [
        "description": "The span that the server answered in.", "required": true, "schema": ["type": "string"],
        "example": "00-4bf92f3577b34da6a3ce929d0e0e4736-d75597dee50b0cac-01",
    ],
    "ETag": [
        "description": "The version, for If-Match.", "required": true,
        "schema": ["type": "string", "pattern": "^\"[0-9]+\"$"], "example": "\"3\"",
    ],
    "Location": [
        "description": "Where to find what was created.", "required": true,
        "schema": ["type": "string", "format": "uri-reference"],
        "example": "/api/v1/things/0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20",
    ],
    "Consistency": [
        "description": "Where something was written: bring it along to read that, or newer.",
        "schema": ["type": "string"], "example": "v1.home.16b3748",
    ],
    "IdempotencyReplayed": [
        "description": "Present where the answer is that of an earlier request with the same key.",
        "schema": ["type": "string", "const": "true"],
    ],
    "RetryAfter": [
        "description": "Seconds to wait before another attempt.", "schema": ["type": "integer", "minimum": 1],
        "example": 1,
    ],
    "WWWAuthenticate": [
        "description": "RFC 6750.", "schema": ["type": "string"], "example": "Bearer realm=\"atrium\"",
    ],
]

/// Every answer has these.
let responseHeaders = JSONObject([
    .init(name: "X-Request-Id", value: ["$ref": "#/components/headers/RequestId"]),
    .init(name: "traceparent", value: ["$ref": "#/components/headers/TraceParent"]),
])

let problemSchema: JSON = [
    "type": "object",
    "description": "A problem of RFC 9457. Members that are not listed here belong to the type.",
    "properties": [
        "type": ["type": "string", "format": "uri", "description": "Tells kinds of problems apart; never changes."],
        "title": ["type": "string"],
        "status": ["type": "integer", "minimum": 400, "maximum": 599],
        "detail": ["type": "string", "description": "What is special about this occurrence, for people."],
        "requestId": ["type": "string", "description": "Names the request in our logs."],
        "errors": [
            "type": "array",
            "description": "Each thing that is wrong with the request: at most 100.",
            "items": [
                "type": "object",
                "properties": [
                    "detail": ["type": "string"],
                    "pointer": ["type": "string", "description": "A JSON Pointer into the body, as a URI fragment."],
                    "parameter": ["type": "string", "description": "A parameter of the path or the query."],
                    "header": ["type": "string"],
                ],
                "required": ["detail"],
            ],
        ],
    ],
    "required": ["type", "title", "status", "requestId"],
]

func example(of type: ProblemType) -> JSON {
    var problem = Problem(type)
    switch type {
    case .invalidBody:
        problem.violations = [Violation("is missing", at: .body(["items", "0", "name"]))]
    case .invalidParameter:
        problem.violations = [Violation("must be between 1 and 100", at: .parameter("limit"))]
    case .malformedJSON:
        problem.detail = JSONError(reason: .duplicateName, line: 1, column: 9).description
        problem.extensions = [.init(name: "line", value: 1), .init(name: "column", value: 9)]
    case .notReady:
        problem.extensions = [.init(name: "checks", value: ["database": "connection refused", "broker": "ok"])]
    default: break
    }
    return problem.json(requestID: "0190a5c4-7e1b-7d3a-9f52-3c8e1a6b7d20")
}
