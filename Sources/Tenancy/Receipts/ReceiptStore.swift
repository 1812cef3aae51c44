import Postgres

/// Finds the receipts of commands that have taken effect.
package struct ReceiptStore: Sendable {
    private let dataPlane: DataPlane
    private let role: ContextRole

    package init(_ dataPlane: DataPlane, as role: ContextRole) {
        self.dataPlane = dataPlane
        self.role = role
    }

    package func find(_ key: String, of tenant: TenantContext) async throws -> CommandReceipt? {
        let rows = try await dataPlane.query(
            tenant, as: role,
            """
            SELECT fingerprint, status, header_names, header_values, body FROM \(unsafeSQL: role.schema).receipts
            WHERE tenant_id = \(tenant.tenantID) AND key = \(key)
            """)
        guard let row = rows.first else { return nil }
        let (fingerprint, status, names, values, body) = try row.decode(
            ([UInt8], Int32, [String], [String], [UInt8]).self)
        return CommandReceipt(
            key: key, fingerprint: fingerprint, status: Int(status),
            headers: zip(names, values).map { CommandReceipt.Header(name: $0, value: $1) }, body: body)
    }
}
