package import Kernel

/// What became of one schema.
package struct SchemaOutcome: Sendable {
    package let schema: String
    package var applied: [AppliedMigration] = []
    /// What is still to be applied, where that was only looked at.
    package var pending: [MigrationFiles.File] = []
    package var failure: MigrationError?

    init(schema: String, failure: MigrationError? = nil) {
        self.schema = schema
        self.failure = failure
    }
}

/// What became of one database; a failure of its own has kept everything else in it from being tried.
package struct DatabaseOutcome: Sendable {
    package let database: String
    package var schemas: [SchemaOutcome] = []
    package var failure: String?
    /// Whether there is no such database yet, because its tenant is still being made.
    package var isAbsent = false

    package var applied: [AppliedMigration] { schemas.flatMap(\.applied) }
    package var pending: Int { schemas.reduce(0) { $0 + $1.pending.count } }
    package var hasFailed: Bool { failure != nil || schemas.contains { $0.failure != nil } }
}

/// What became of every database, for people and for programs.
package struct MigrationReport: Sendable {
    package var databases: [DatabaseOutcome] = []

    package init() {}

    package var isSuccess: Bool { !databases.contains { $0.hasFailed || $0.pending > 0 } }

    package var text: String {
        var lines: [String] = []
        for database in databases {
            if database.isAbsent {
                lines.append("\(database.database): not made yet")
                continue
            }
            if let failure = database.failure {
                lines.append("\(database.database): failed: \(failure)")
                continue
            }
            lines.append("\(database.database): \(summary(database))")
            for schema in database.schemas {
                if let failure = schema.failure { lines.append("  \(schema.schema): failed: \(failure)") }
                for file in schema.pending { lines.append("  \(schema.schema): to be applied: \(file.path)") }
            }
        }
        lines.append(
            isSuccess
                ? "every database is at the files of this version" : "some schemas are not at the files of this version"
        )
        return lines.joined(separator: "\n")
    }

    private func summary(_ database: DatabaseOutcome) -> String {
        let changed = database.schemas.count { !$0.applied.isEmpty }
        let done =
            switch (database.applied.count, database.pending) {
            case (0, 0): database.hasFailed ? "nothing applied" : "up to date"
            case (0, let pending): "\(pending) files to be applied"
            case (let applied, _): "applied \(applied) files to \(changed) schemas"
            }
        let failed = database.schemas.count { $0.failure != nil }
        return "\(done) (\(database.schemas.count) schemas\(failed == 0 ? "" : ", \(failed) failed"))"
    }

    package var json: JSON {
        ["success": .bool(isSuccess), "databases": .array(databases.map(\.json))]
    }
}

extension DatabaseOutcome {
    fileprivate var json: JSON {
        [
            "database": .string(database), "failure": failure.map { .string($0) } ?? .null,
            "absent": .bool(isAbsent),
            "schemas": .array(
                schemas.map { schema in
                    [
                        "schema": .string(schema.schema),
                        "state": .string(
                            schema.failure != nil
                                ? "failed"
                                : schema.pending.isEmpty ? schema.applied.isEmpty ? "up to date" : "applied" : "pending"
                        ),
                        "pending": .array(schema.pending.map { .string($0.path) }),
                        "applied": .array(schema.applied.map { .string($0.file.path) }),
                        "failure": schema.failure.map { .string("\($0)") } ?? .null,
                    ]
                }),
        ]
    }
}
