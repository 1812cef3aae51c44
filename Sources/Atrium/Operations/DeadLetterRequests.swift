import Foundation
import Kernel
import Messaging
import Tenancy
import Web

/// Which dead letters of a context are meant: some by their identifiers, or a key's.
struct DeadLetterSelection: Sendable {
    struct Key: Sendable {
        let tenantID: TenantID
        let topic: String
        let key: String

        static let shape = Shape<Key>.object(
            "EventKey", "An aggregate, by the key of its events.",
            Field("tenantId", .identifier(TenantID.self), "The tenant.") { $0.tenantID },
            Field("topic", .string(1...249), "The topic.", example: "orders.order") { $0.topic },
            Field(
                "key", .string(1...1000), "The key, as letters show it.",
                example: "0198c0de-0000-7000-8000-0000000000aa"
            ) { $0.key }
        ) { Key(tenantID: $0, topic: $1, key: $2) }
    }

    let ids: [EventID]?
    let key: Key?

    /// Exactly one of the two must be there.
    func checked() throws -> DeadLetterReplay.Selection {
        switch (ids, key) {
        case (let ids?, nil) where !ids.isEmpty: return .letters(ids.map(\.uuid))
        case (nil, let key?):
            return .key(EventKey(tenantID: key.tenantID, topic: key.topic, key: EventKey.bytes(of: key.key)))
        default:
            throw Problem(.invalidBody, "Name either letters in `ids`, one at least, or a key in `key`.")
        }
    }

    static let idsAbout = "Letters of the context, in any order: those of one key are taken in theirs."
    static let keyAbout = "All open letters of one key."
}

struct DeadLetterReplayRequest: Sendable {
    let context: ContextName
    let selection: DeadLetterSelection
    let dryRun: Bool?
    let reason: String?
    let by: String?

    static let shape = Shape<Self>.object(
        "ReplayDeadLetters", "Which messages are to be sent through again.",
        Field("context", .enumeration(ContextName.self), "The context that set them aside.", example: "billing") {
            $0.context
        },
        Field(optional: "ids", .array(of: .identifier(EventID.self), count: 1...1000), DeadLetterSelection.idsAbout) {
            $0.selection.ids
        },
        Field(optional: "key", DeadLetterSelection.Key.shape, DeadLetterSelection.keyAbout, example: nil) {
            $0.selection.key
        },
        Field(optional: "dryRun", .boolean, "Says what would happen, and changes nothing.", example: true) {
            $0.dryRun
        },
        Field(optional: "reason", .string(1...500, .line), "Why, for the record.", example: "the price list is mended")
        {
            $0.reason
        },
        Field(optional: "by", .string(1...100, .line), "Who you are, for the record.", example: "ada") { $0.by }
    ) {
        Self(context: $0, selection: DeadLetterSelection(ids: $1, key: $2), dryRun: $3, reason: $4, by: $5)
    }
}

struct DeadLetterDiscardRequest: Sendable {
    let context: ContextName
    let selection: DeadLetterSelection
    let reason: String
    let outOfOrder: Bool?
    let by: String?

    static let shape = Shape<Self>.object(
        "DiscardDeadLetters", "Which messages are given up, and why.",
        Field("context", .enumeration(ContextName.self), "The context that set them aside.", example: "billing") {
            $0.context
        },
        Field(optional: "ids", .array(of: .identifier(EventID.self), count: 1...1000), DeadLetterSelection.idsAbout) {
            $0.selection.ids
        },
        Field(optional: "key", DeadLetterSelection.Key.shape, DeadLetterSelection.keyAbout, example: nil) {
            $0.selection.key
        },
        Field("reason", .string(1...500, .line), "Why, for the record.", example: "a test order of ours") { $0.reason },
        Field(
            optional: "outOfOrder", .boolean, "Whether a letter may go that others of its key lie before.",
            example: false
        ) { $0.outOfOrder },
        Field(optional: "by", .string(1...100, .line), "Who you are, for the record.", example: "ada") { $0.by }
    ) {
        Self(context: $0, selection: DeadLetterSelection(ids: $1, key: $2), reason: $3, outOfOrder: $4, by: $5)
    }
}

/// What became of each letter, or would.
struct DeadLetterSteps: Sendable {
    let steps: [DeadLetterReplay.Step]
    var isDiscard = false

    static let shape = Shape<Self>.output(
        "DeadLetterSteps", "What became of each message, in the order in which they were taken.",
        Field("steps", .array(of: step)) { steps in steps.steps.map { ($0, steps.isDiscard) } }
    )

    private static let step = Shape<(DeadLetterReplay.Step, Bool)>.output(
        "DeadLetterStep", "",
        Field("id", .identifier(EventID.self), "The letter.") { EventID($0.0.letter.id) },
        Field(
            "outcome", .string(),
            """
            `processed`; `duplicate`: the event had taken effect before; `published`; `discarded`; `failed`; `not_tried`: it \
            comes behind one of its key that failed.
            """, example: "processed"
        ) { $0.1 ? "discarded" : $0.0.outcome.name },
        Field(optional: "reason", .string(), "Why it failed.", example: nil) { $0.0.outcome.reason },
        Field("unparked", .boolean, "Whether the events of its key flow again.", example: true) { $0.0.unparked }
    )
}

extension DeadLetterReplay.Outcome {
    var name: String {
        switch self {
        case .processed: "processed"
        case .duplicate: "duplicate"
        case .published: "published"
        case .failed: "failed"
        case .notTried: "not_tried"
        }
    }

    var reason: String? {
        if case .failed(let reason) = self { reason } else { nil }
    }
}
