/// What a migration must not do without a reason, by the name that a comment allows it with.
package enum LintRule: String, CaseIterable, Sendable {
    case addCheck = "add-check"
    case addColumnNotNull = "add-column-not-null"
    case addColumnVolatileDefault = "add-column-volatile-default"
    case addExclusion = "add-exclusion"
    case addForeignKey = "add-foreign-key"
    case addUnique = "add-unique"
    case allowUnknownRule = "allow-unknown-rule"
    case allowUnused = "allow-unused"
    case allowWithoutReason = "allow-without-reason"
    case alterColumnType = "alter-column-type"
    case alterEnum = "alter-type"
    case cluster
    case concurrentNotAlone = "concurrent-not-alone"
    case createTrigger = "create-trigger"
    case dataChange = "data-change"
    case doBlock = "do-block"
    case dropColumn = "drop-column"
    case dropIndex = "drop-index"
    case dropObject = "drop-object"
    case dropTable = "drop-table"
    case indexNotConcurrent = "index-not-concurrent"
    case indexUnnamed = "index-unnamed"
    case lockTable = "lock-table"
    case partition
    case policyByHand = "policy-by-hand"
    case reindex
    case rename
    case rewrite
    case rowSecurityOff = "row-security-off"
    case securityDefiner = "security-definer"
    case sessionSetting = "session-setting"
    case setNotNull = "set-not-null"
    case tenantTableUnprotected = "tenant-table-unprotected"
    case transactionControl = "transaction-control"
    case truncate
    case unknownStatement = "unknown-statement"
    case unreadable
    case vacuumFull = "vacuum-full"
    case validateApart = "validate-apart"
    case viewDefiner = "view-definer"

    /// Whether a comment may allow it.
    var canBeAllowed: Bool {
        switch self {
        case .allowUnknownRule, .allowUnused, .allowWithoutReason, .unreadable, .concurrentNotAlone,
            .transactionControl:
            false
        default: true
        }
    }
}

extension LintRule {
    /// Why it is refused, and what to do instead.
    package var advice: (why: String, instead: String) {
        switch self {
        case .addCheck, .addForeignKey, .addUnique, .addExclusion, .setNotNull, .validateApart: constraintAdvice
        case .addColumnNotNull, .addColumnVolatileDefault, .alterColumnType, .rewrite, .rename, .dropColumn, .dropTable,
            .dropObject, .alterEnum:
            shapeAdvice
        case .indexNotConcurrent, .indexUnnamed, .dropIndex, .concurrentNotAlone, .reindex: indexAdvice
        case .cluster, .lockTable, .truncate, .vacuumFull, .createTrigger, .dataChange, .partition: lockAdvice
        case .policyByHand, .rowSecurityOff, .securityDefiner, .tenantTableUnprotected, .viewDefiner: fenceAdvice
        case .doBlock, .sessionSetting, .transactionControl, .unknownStatement, .unreadable, .allowUnknownRule,
            .allowUnused, .allowWithoutReason:
            formAdvice
        }
    }

    private var constraintAdvice: (why: String, instead: String) {
        switch self {
        case .addCheck:
            (
                "reads the whole table while nobody may use it",
                "add it NOT VALID, and VALIDATE CONSTRAINT in a file of its own"
            )
        case .addForeignKey:
            (
                "reads the whole table while nobody may write to it or to the one it refers to",
                "add it NOT VALID, and VALIDATE CONSTRAINT in a file of its own"
            )
        case .addUnique:
            (
                "builds its index while nobody may use the table",
                "CREATE UNIQUE INDEX CONCURRENTLY in a file of its own, then ADD CONSTRAINT … USING INDEX"
            )
        case .addExclusion:
            (
                "builds its index while nobody may use the table, and can't do it otherwise",
                "make a new table with it and move over, or give the reason why this table is small"
            )
        case .setNotNull:
            (
                "reads the whole table while nobody may use it",
                "ADD CONSTRAINT … CHECK (column IS NOT NULL) NOT VALID, VALIDATE it in a file of its own, then SET NOT NULL, "
                    + "which takes that for proof"
            )
        default:
            (
                "checks every row under the lock that what stands before it in the file has taken",
                "put VALIDATE CONSTRAINT into a file of its own"
            )
        }
    }

    private var shapeAdvice: (why: String, instead: String) {
        switch self {
        case .addColumnNotNull:
            (
                "fails as soon as the table has a row",
                "give it a constant DEFAULT, or add it without NOT NULL and backfill"
            )
        case .addColumnVolatileDefault:
            (
                "writes the whole table anew while nobody may use it",
                "add the column without it, ALTER COLUMN … SET DEFAULT for new rows, and backfill the others"
            )
        case .alterColumnType:
            (
                "may write the whole table anew while nobody may use it",
                "add a column of the new type, backfill it, and change over in the code"
            )
        case .rewrite:
            ("writes the whole table anew while nobody may use it", "add what is new beside it, and backfill")
        case .rename:
            (
                "breaks the programs that still run with the old name",
                "add the new one beside it, change over in the code, and drop the old one in a later release"
            )
        case .dropColumn, .dropTable, .dropObject:
            (
                "breaks the programs that still use it, and can't be undone",
                "drop it in a release after the last one that uses it, and say so as the reason"
            )
        default:
            (
                "can't be undone, and what is added can't be used before the commit",
                "use text with a CHECK, which can be changed by NOT VALID and VALIDATE"
            )
        }
    }

    private var indexAdvice: (why: String, instead: String) {
        switch self {
        case .indexNotConcurrent:
            ("lets nobody write while the index is built", "CREATE INDEX CONCURRENTLY in a file of its own")
        case .indexUnnamed:
            ("has no name by which half an index could be found again after a failure", "name the index")
        case .dropIndex:
            (
                "waits for every reader and holds back those who come after",
                "DROP INDEX CONCURRENTLY in a file of its own"
            )
        case .reindex:
            (
                "lets nobody write while it runs, or can't run in a transaction",
                "REINDEX CONCURRENTLY by hand: it is upkeep, and nothing that a new database needs"
            )
        default:
            ("can't run in the transaction of the file's other statements", "put it into a file of its own")
        }
    }

    private var lockAdvice: (why: String, instead: String) {
        switch self {
        case .cluster, .vacuumFull:
            (
                "writes the whole table anew while nobody may use it",
                "leave it to upkeep: nothing that a new database needs"
            )
        case .lockTable: ("keeps everybody else waiting until the file is done", "rely on the statements' own locks")
        case .truncate:
            ("knows no row security, and waits for and keeps off everybody else", "delete in batches: atrium backfill")
        case .createTrigger:
            (
                "runs in everybody's transactions from now on, those of older programs too",
                "do it in the code, or say why it has to be here"
            )
        case .partition:
            (
                "reads or locks whole tables",
                "ATTACH after a validated CHECK that proves its bounds, DETACH by hand with CONCURRENTLY; say so as the reason"
            )
        default:
            (
                "changes an unknown number of rows in one transaction, and as the owner no row is seen",
                "write a backfill: schemas/backfills, atrium backfill"
            )
        }
    }

    private var fenceAdvice: (why: String, instead: String) {
        switch self {
        case .policyByHand:
            (
                "the guard knows two kinds of policies and refuses to serve with any other",
                "use platform.protect or platform.open_across_tenants"
            )
        case .rowSecurityOff: ("takes the fence between tenants down", "leave it up")
        case .securityDefiner:
            ("runs with the owner's rights, whoever calls it", "leave SECURITY INVOKER, or say what makes it safe")
        case .viewDefiner:
            ("looks with its owner's eyes", "CREATE VIEW … WITH (security_invoker = true); no materialized views")
        default:
            (
                "has a tenant_id and nothing that keeps tenants apart",
                "SELECT platform.protect('…', '<rights>') in the same file"
            )
        }
    }

    private var formAdvice: (why: String, instead: String) {
        switch self {
        case .doBlock:
            (
                "holds statements that can't be looked at",
                "write the statements out, or give the reason why they are harmless"
            )
        case .sessionSetting: ("changes what the statements after it mean", "name things so that they need no setting")
        case .transactionControl: ("the migrator begins and ends the transaction", "leave it out")
        case .unknownStatement:
            ("is a statement that nobody has judged yet", "say as the reason what it locks and for how long")
        case .unreadable: ("is opened and never closed", "close it")
        case .allowUnknownRule:
            ("names no rule that can be allowed", "correct the name; `atrium migrate lint --rules` lists them")
        case .allowUnused: ("allows what the statement below does not do", "remove the comment")
        default: ("says no reason", "write: -- lint: allow <rule> because <reason>")
        }
    }
}

/// A statement of a migration that is refused.
package struct LintFinding: Hashable, Sendable, CustomStringConvertible {
    /// As it was given, or `orders/0002_….sql`.
    package var file: String
    package let line: Int
    package let rule: LintRule
    /// What the rule was found in: a table, a column.
    package let subject: String

    package var description: String {
        let (why, instead) = rule.advice
        return "\(file):\(line): [\(rule.rawValue)] \(subject) \(why). Instead: \(instead)."
    }
}
