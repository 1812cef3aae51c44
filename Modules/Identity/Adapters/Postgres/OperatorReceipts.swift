import Kernel
import Logging
import Postgres
import Tenancy

/// Answers to the operator's commands. They belong to no tenant: the tenant is what the command makes.
struct OperatorReceipts: Sendable {
    let dataPlane: DataPlane
    let seal: Seal
    let logger: Logger

    func find(_ key: String) async throws -> CommandReceipt? {
        let rows = try await dataPlane.control(
            reason: .routine("repeat the answer to a command"), logger: logger
        ) { transaction in
            try await transaction.rows(
                """
                SELECT sealed_fingerprint, status, header_names, header_values, body
                FROM control.operator_receipts WHERE key = \(key)
                """)
        }
        guard let row = rows.first else { return nil }
        let (sealed, status, names, values, body) = try row.decode(
            ([UInt8], Int32, [String], [String], [UInt8]).self)
        // Where the secret has changed since, the empty fingerprint matches no request: nothing is done twice.
        return CommandReceipt(
            key: key, fingerprint: seal.open(sealed, for: .fingerprint, in: key) ?? [], status: Int(status),
            headers: zip(names, values).map { CommandReceipt.Header(name: $0, value: $1) }, body: body)
    }

    /// A key that was used before makes the commit throw `ReceiptExists`.
    func keep(_ receipt: CommandReceipt, in transaction: TenantTransaction) throws {
        let sealed = try seal.close(receipt.fingerprint, for: .fingerprint, in: receipt.key)
        transaction.enqueue(
            """
            INSERT INTO control.operator_receipts (key, sealed_fingerprint, status, header_names, header_values, body)
            VALUES (\(receipt.key), \(sealed), \(receipt.status), \(receipt.headers.map(\.name)), \
            \(receipt.headers.map(\.value)), \(receipt.body))
            """)
    }
}
