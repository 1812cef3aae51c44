import Foundation
import Kernel
import Postgres
import Synchronization

/// Why somebody goes across tenants; kept in `platform.cross_tenant_access`.
package struct CrossTenantReason: Hashable, Sendable {
    let text: String
    /// What programs do all the time stands once an hour for each process.
    let isRoutine: Bool

    /// An access that is recorded each time.
    package static func once(_ text: StaticString) -> CrossTenantReason {
        CrossTenantReason(text: "\(text)", isRoutine: false)
    }

    /// What relays and other services do without anybody asking for it.
    package static func routine(_ text: StaticString) -> CrossTenantReason {
        CrossTenantReason(text: "\(text)", isRoutine: true)
    }
}

/// Records who goes across tenants, in the transaction that does it.
final class CrossTenantAudit: Sendable {
    private struct Routine: Hashable {
        let database: DatabaseID
        let role: CrossTenantRole
        let reason: CrossTenantReason
    }

    private let process: String
    private let recorded = Mutex<[Routine: ContinuousClock.Instant]>([:])
    private static let period = Duration.seconds(3600)

    init(process: String = "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)") {
        self.process = process
    }

    /// The row that is due, if one is; `committed` must be called once it is there.
    func entry(
        _ reason: CrossTenantReason, as role: CrossTenantRole, of tenant: TenantID?, by actor: Actor,
        in database: DatabaseID
    ) -> (statement: Statement, committed: @Sendable () -> Void)? {
        let routine = Routine(database: database, role: role, reason: reason)
        if reason.isRoutine {
            let last = recorded.withLock { $0[routine] }
            if let last, last.duration(to: .now) < Self.period { return nil }
        }
        let id: Identifier<Void> = IdentifierSource.system.next()
        let statement = Statement(
            """
            INSERT INTO platform.cross_tenant_access (id, actor, reason, is_routine, process, tenant_id)
            VALUES (\(id), \(actor.description), \(reason.text), \(reason.isRoutine), \(process), \(tenant))
            """)
        return (
            statement,
            {
                guard reason.isRoutine else { return }
                self.recorded.withLock { $0[routine] = .now }
            }
        )
    }
}
