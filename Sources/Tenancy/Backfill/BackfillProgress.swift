package import Kernel
package import Logging
import Postgres

/// How far a tenant is in a backfill.
package struct BackfillProgress: Hashable, Sendable {
    /// Keys that were gone through.
    package let rows: Int64
    package let doneAt: Timestamp?
    package let updatedAt: Timestamp

    /// - Returns: `nil` where the tenant has not begun.
    package static func read(
        _ definition: BackfillDefinition, of tenant: TenantID, as role: ContextRole, plane: DataPlane, logger: Logger
    ) async throws -> BackfillProgress? {
        let context = TenantContext(
            tenantID: tenant, actor: .operator, correlation: .new(), logger: logger)
        return try await plane.query(
            context, as: role,
            """
            SELECT rows, done_at, updated_at FROM platform.backfill_progress
            WHERE tenant_id = platform.tenant_id() AND backfill = \(definition.name)
            """
        ).first.map { row in
            let (rows, doneAt, updatedAt) = try row.decode((Int64, Timestamp?, Timestamp).self)
            return BackfillProgress(rows: rows, doneAt: doneAt, updatedAt: updatedAt)
        }
    }
}
