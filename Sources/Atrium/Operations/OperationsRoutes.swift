import Foundation
import Kernel
import Messaging
import Tenancy
import Web

/// What the operator does about events over HTTP.
struct OperationsRoutes: Sendable {
    let desk: EventDesk

    var endpoints: [Endpoint] { [list, show, parkedKeys, replay, discard] }

    private static let tag = "Operations"

    private var list: Endpoint {
        Endpoint(
            .get, "/api/v1/operations/dead-letters", "listDeadLetters", tag: Self.tag,
            summary: "Lists messages that were set aside, oldest first",
            about: """
                Messages that a context could not take in, those of the same key that wait behind them, and events that \
                the broker refused; of the contexts that this process runs.
                """,
            access: .operator,
            parameters: [
                contextFilter, tenantFilter, kindFilter, typeFilter, topicFilter, keyFilter, reactionFilter,
                stateFilter,
                paging,
            ], success: .ok(.page(of: DeadLetterView.summary)), problems: [.notFound]
        ) { [desk] call in
            let page = try call[paging]
            var filter = DeadLetters.Filter()
            filter.tenant = try call[tenantFilter]
            filter.kind = try call[kindFilter]
            filter.type = try call[typeFilter]
            filter.topic = try call[topicFilter]
            filter.key = try call[keyFilter].map(EventKey.bytes)
            filter.reaction = try call[reactionFilter]
            filter.isOpen = try call[stateFilter].isOpen
            filter.after = page.after?.uuid
            filter.limit = page.fetch
            let context = try call[contextFilter]
            let letters = try await onDesk { try await desk.list(filter, of: context) }
            return call.reply(page.page(letters) { EventID($0.letter.id) })
        }
    }

    private var show: Endpoint {
        Endpoint(
            .get, "/api/v1/operations/dead-letters/{id}", "getDeadLetter", tag: Self.tag,
            summary: "Shows a message that was set aside, whole", access: .operator, parameters: [letterID],
            success: .ok(DeadLetterView.whole), problems: [.notFound]
        ) { [desk] call in
            let id = try call[letterID].uuid
            return call.reply(try await onDesk { try await desk.show(id) })
        }
    }

    private var parkedKeys: Endpoint {
        Endpoint(
            .get, "/api/v1/operations/parked-keys", "listParkedKeys", tag: Self.tag,
            summary: "Lists aggregates whose events wait, the longest first", access: .operator,
            parameters: [contextFilter, tenantFilter, limit],
            success: .ok(.output("ParkedKeyList", "", Field("items", .array(of: ParkedKeyView.shape)) { $0 })),
            problems: [.notFound]
        ) { [desk] call in
            let (context, tenant, most) = (try call[contextFilter], try call[tenantFilter], Int(try call[limit]))
            return call.reply(try await onDesk { try await desk.parked(tenant: tenant, of: context, limit: most) })
        }
    }

    private var replay: Endpoint {
        Endpoint(
            .post, "/api/v1/operations/dead-letters/replay", "replayDeadLetters", tag: Self.tag,
            summary: "Sends messages through again that were set aside",
            about: """
                Those of a key in their order, and no further than the first that fails. Repeating it is harmless: an \
                event that took effect before has none now. With `dryRun` nothing changes, and the answer says what would \
                happen.
                """,
            access: .operator, body: .json(DeadLetterReplayRequest.shape), success: .ok(DeadLetterSteps.shape),
            problems: [.notFound, .conflict]
        ) { [desk] call in
            let request = call.body
            let steps = try await onDesk {
                try await desk.replay(of: request.context).replay(
                    request.selection.checked(), dryRun: request.dryRun ?? false, by: operatorName(request.by),
                    reason: request.reason)
            }
            return call.reply(DeadLetterSteps(steps: steps))
        }
    }

    private var discard: Endpoint {
        Endpoint(
            .post, "/api/v1/operations/dead-letters/discard", "discardDeadLetters", tag: Self.tag,
            summary: "Gives up on messages for good",
            about: "Their events never take effect, also when they come again. The messages are kept, with the reason.",
            access: .operator, body: .json(DeadLetterDiscardRequest.shape), success: .ok(DeadLetterSteps.shape),
            problems: [.notFound, .conflict]
        ) { [desk] call in
            let request = call.body
            let steps = try await onDesk {
                try await desk.replay(of: request.context).discard(
                    request.selection.checked(), reason: request.reason, by: operatorName(request.by),
                    outOfOrder: request.outOfOrder ?? false)
            }
            return call.reply(DeadLetterSteps(steps: steps, isDiscard: true))
        }
    }
}

/// As the record of operators' actions names them: everybody who has the operator's key, and who they say they are.
private func operatorName(_ name: String?) -> String {
    name.map { "operator: \($0)" } ?? "operator"
}

/// What went wrong on the desk, as the API tells it.
private func onDesk<Value>(_ body: () async throws -> Value) async throws -> Value {
    do {
        return try await body()
    } catch let failure as EventDesk.Failure {
        throw Problem(.notFound, "\(failure)")
    } catch let failure as DeadLetterReplay.Failure {
        switch failure {
        case .unknown: throw Problem(.notFound, "\(failure)")
        case .resolvedBefore, .outOfOrder: throw Problem(.conflict, "\(failure)")
        }
    }
}

private enum LetterState: String, CaseIterable, Sendable {
    case open, resolved, all

    var isOpen: Bool? {
        switch self {
        case .open: true
        case .resolved: false
        case .all: nil
        }
    }
}

private let contextFilter = Parameter<ContextName?>.query(
    "context", .enumeration(ContextName.self), "Only this context's.")
private let tenantFilter = Parameter<TenantID?>.query("tenant", .identifier(TenantID.self), "Only this tenant's.")
private let kindFilter = Parameter<DeadLetter.Kind?>.query(
    "kind", .enumeration(DeadLetter.Kind.self), "Only those that lie there for this cause.")
private let typeFilter = Parameter<String?>.query(
    "type", .string(1...200), "Only events of this type.", example: "orders.order.placed.v1")
private let topicFilter = Parameter<String?>.query(
    "topic", .string(1...249), "Only of this topic.", example: "orders.order")
private let keyFilter = Parameter<String?>.query(
    "key", .string(1...1000), "Only with this key: the aggregate's identifier, or `0x` and hexadecimal digits.",
    example: "0198c0de-0000-7000-8000-0000000000aa")
private let reactionFilter = Parameter<String?>.query(
    "reaction", .string(1...200), "Only those that this reaction failed on.", example: "issue-invoice")
private let stateFilter = Parameter<LetterState>.query(
    "state", .enumeration(LetterState.self), default: .open, "`resolved` are those that were replayed or discarded.")
private let letterID = Parameter<EventID>.path("id", .identifier(EventID.self), "The dead letter.")
private let limit = Parameter<Int64>.query("limit", .integer(1...1000), default: 100, "How many at most.")
private let paging = Paging(by: .identifier(EventID.self))
