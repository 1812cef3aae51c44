/// What an endpoint takes as its body: one shape for each media type.
package struct Content<Body: Sendable>: Sendable {
    /// By media type, in lower case; empty where there is no body.
    let shapes: [(mediaType: String, shape: Shape<Body>)]
    let absent: Body?

    package static func json(_ shape: Shape<Body>) -> Content {
        Content(shapes: [("application/json", shape)], absent: nil)
    }

    /// The media types are compared without their parameters.
    package static func either(_ shapes: (mediaType: String, shape: Shape<Body>)...) -> Content {
        Content(shapes: shapes.map { ($0.mediaType.lowercased(), $0.shape) }, absent: nil)
    }
}

extension Content where Body == Void {
    package static var none: Content { Content(shapes: [], absent: ()) }
}

/// What an endpoint answers when all went well.
package struct Success<Output: Sendable>: Sendable {
    let status: Int
    let about: String
    let shape: Shape<Output>?
    /// Whether replies carry the aggregate's version as `ETag`.
    let isVersioned: Bool
    let hasLocation: Bool

    package static func ok(_ shape: Shape<Output>, versioned: Bool = false, _ about: String = "Done.") -> Success {
        Success(status: 200, about: about, shape: shape, isVersioned: versioned, hasLocation: false)
    }

    package static func created(
        _ shape: Shape<Output>, versioned: Bool = false, _ about: String = "Created."
    ) -> Success {
        Success(status: 201, about: about, shape: shape, isVersioned: versioned, hasLocation: true)
    }

    package static func accepted(_ shape: Shape<Output>, _ about: String = "Accepted.") -> Success {
        Success(status: 202, about: about, shape: shape, isVersioned: false, hasLocation: false)
    }
}

extension Success where Output == Void {
    package static var noContent: Success { noContent() }

    package static func noContent(versioned: Bool = false, _ about: String = "Done.") -> Success {
        Success(status: 204, about: about, shape: nil, isVersioned: versioned, hasLocation: false)
    }
}
