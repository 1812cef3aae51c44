package import Kernel
package import OrdersContracts

/// A change to an order that exists, decided on a version of it.
package struct ChangeOrder: Sendable {
    package enum Change: Hashable, Sendable {
        case replaceLines([RequestedLine])
        case place
        case approve
        case reject(reason: String)
        case fulfil
        case cancel(reason: String)
    }

    package let id: OrderID
    package let version: Int64
    package let change: Change

    package init(id: OrderID, version: Int64, change: Change) {
        self.id = id
        self.version = version
        self.change = change
    }
}

package struct ChangeOrderHandler<Repository: OrderRepository>: Sendable {
    private let repository: Repository
    private let policy: OrderPolicy
    private let clock: WallClock

    package init(repository: Repository, policy: OrderPolicy, clock: WallClock) {
        self.repository = repository
        self.policy = policy
        self.clock = clock
    }

    package func handle(_ command: ChangeOrder) async throws -> Order {
        let now = clock.now()
        return try await repository.update(command.id, expecting: command.version) { order throws(OrderError) in
            switch command.change {
            case .replaceLines(let lines): try order.replaceLines(lines.lines(in: order.currency), at: now)
            case .place: try order.place(under: policy, at: now)
            case .approve: try order.approve(at: now)
            case .reject(let reason): try order.reject(because: reason, at: now)
            case .fulfil: try order.fulfil(at: now)
            case .cancel(let reason): try order.cancel(because: reason, at: now)
            }
        }
    }
}
