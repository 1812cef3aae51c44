package import OrdersContracts

/// Orders of one tenant, saved with their versions, histories and events as one.
package protocol OrderRepository: Sendable {
    func insert(_ order: Order) async throws

    /// Reads the order, lets the caller change it, and saves it if nobody else has since.
    ///
    /// - Parameter expected: the version the caller decided on.
    /// - Throws: `OrderError.unknownOrder`, the change's own error, or the platform's stale-version error.
    func update(
        _ id: OrderID, expecting expected: Int64, _ change: (inout Order) throws(OrderError) -> Void
    ) async throws -> Order
}
