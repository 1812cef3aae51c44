import HTTPTypes
import Kernel
import NIOCore
import NIOHTTPTypes

/// Gives the bare 400, with which Hummingbird answers what is not HTTP, a problem for a body.
///
/// Our own answers all carry a request id; the bare one is told by having none.
final class ParseErrorAnswer: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let identifiers: IdentifierSource

    init(identifiers: IdentifierSource) {
        self.identifiers = identifiers
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .head(var head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headerFields[.requestID] == nil
        else { return context.write(data, promise: promise) }
        let id: CorrelationID = identifiers.next()
        let body = Problem(.malformedRequest, "This is not HTTP/1.1 as RFC 9112 has it.")
            .bytes(requestID: id.description)
        head.headerFields[.requestID] = id.description
        head.headerFields[.contentType] = Outgoing.ContentType.problem.rawValue
        head.headerFields[.contentLength] = String(body.count)
        head.headerFields[.date] = HTTPDate.shared.now()
        context.write(wrapOutboundOut(.head(head)), promise: promise)
        context.write(wrapOutboundOut(.body(ByteBuffer(bytes: body))), promise: nil)
    }
}
