package import Foundation
package import Kernel
package import Logging
import Synchronization

/// On whose behalf, by whom, and caused by what a piece of work runs; without one there is no way to the data.
package struct TenantContext: Sendable {
    package let tenantID: TenantID
    package let actor: Actor
    package let correlation: Correlation
    /// Whether the work is on account of several events, each of which has consequences of its own.
    package let hasSeveralCauses: Bool
    /// What reads in this piece of work must show.
    package let need: ReadNeed
    /// How far the work has written; shared by all copies of the context.
    package let progress: WriteProgress
    /// Carries the tenant and the correlation on every line.
    package let logger: Logger

    package init(
        tenantID: TenantID, actor: Actor, correlation: Correlation, hasSeveralCauses: Bool = false,
        need: ReadNeed = .latest, progress: WriteProgress = WriteProgress(), logger: Logger
    ) {
        self.tenantID = tenantID
        self.actor = actor
        self.correlation = correlation
        self.hasSeveralCauses = hasSeveralCauses
        self.need = need
        self.progress = progress
        var logger = logger
        logger[metadataKey: "tenant"] = .stringConvertible(tenantID)
        logger[metadataKey: "correlation"] = .stringConvertible(correlation.id)
        self.logger = logger
    }
}

/// The token for what a piece of work has written so far.
package final class WriteProgress: Sendable {
    private let latest = Mutex<ConsistencyToken?>(nil)

    package init() {}

    package var token: ConsistencyToken? { latest.withLock { $0 } }

    package func record(_ token: ConsistencyToken) {
        latest.withLock { $0 = $0?.merged(with: token) ?? token }
    }
}

/// Who did it: kept in histories, so its text is stable.
package enum Actor: Hashable, Sendable {
    case user(UserID)
    case apiKey(UUID)
    /// The people who run Atrium, with the operator's key.
    case `operator`
    /// A reaction of a context to an event, by the reaction's name.
    case reaction(String)
}

extension Actor: CustomStringConvertible {
    package var description: String {
        switch self {
        case .user(let id): "user:\(id)"
        case .apiKey(let id): "api-key:\(id.canonical)"
        case .operator: "operator"
        case .reaction(let name): "reaction:\(name)"
        }
    }
}
