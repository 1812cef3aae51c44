import Identity
import Kernel
import Web

/// How far the making of a tenant has come.
struct Provisioning: Sendable {
    let steps: [ProvisioningProgress]

    static let shape = Shape<Provisioning>.output(
        "Provisioning", "How far the making of a tenant has come: done when every step has a time of ending.",
        Field("steps", .array(of: ProvisioningProgress.shape), "In the order in which they are taken.") { $0.steps }
    )
}

extension ProvisioningProgress {
    static let shape = Shape<ProvisioningProgress>.output(
        "ProvisioningStep", "A step of making a tenant.",
        Field("step", .enumeration(ProvisioningStep.self), "What is done.", example: "build") { $0.step },
        Field("attempts", .integer(0...Int64.max), "How often it was begun.", example: 1) { Int64($0.attempts) },
        Field(optional: "startedAt", .timestamp, "When it was last begun.") { $0.startedAt },
        Field(optional: "finishedAt", .timestamp, "When it was done.") { $0.finishedAt },
        Field(
            optional: "error", .string(1...4000), "Why the last attempt failed.",
            example: "the disk of the server db-1 is full"
        ) { $0.error.map { String($0.prefix(4000)) } }
    )
}

/// Where a tenant lives, and the decisions that led there.
struct PlacementHistory: Sendable {
    let decisions: [RecordedDecision]

    static let shape = Shape<PlacementHistory>.output(
        "PlacementHistory", "The decisions where a tenant is to live; the first is the one that holds.",
        Field("decisions", .array(of: RecordedDecision.shape), "Newest first.") { $0.decisions }
    )
}

extension RecordedDecision {
    static let shape = Shape<RecordedDecision>.output(
        "PlacementDecision", "A decision where a tenant is to live.",
        Field("tier", .enumeration(Tier.self), "Shared tables, schemas or a database of its own.", example: "bridge") {
            $0.decision.tier
        },
        Field("server", .string(1...40), "The server.", example: "home") { $0.decision.server },
        Field("database", .string(1...63), "The database.", example: "home") { $0.decision.database },
        Field(
            optional: "rule", .integer(0...Int64.max), "The rule that decided; absent where a person did.",
            example: 1020
        ) { $0.decision.rule.map(Int64.init) },
        Field("reason", .string(1...200), "Why.", example: "scale has schemas of its own") { $0.decision.reason },
        Field("actor", .string(1...100), "Who asked for it.", example: "operator") { $0.actor },
        Field("decidedAt", .timestamp, "When.") { $0.decidedAt }
    )
}
