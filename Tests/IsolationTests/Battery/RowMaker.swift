import Kernel
import Postgres

/// Makes valid rows for any tenant table: from the columns' types, and by name where a type does not say enough.
///
/// Rows of two tenants with the same seed are equal in everything but the tenant.
struct RowMaker: Sendable {
    let catalogue: Catalogue

    /// SQL for columns whose type does not tell what they take. `:seed` and `:tenant` stand for the row's own.
    private static let special: [String: String] = [
        "identity.users.password_hash": "'$argon2id$v=19$'",
        "identity.users.role": "'member'",
        "identity.users.status": "'active'",
        "identity.api_keys.permission": "'read'",
        "identity.api_keys.digest": "decode(repeat('0' || :seed, 32), 'hex')",
        "orders.orders.currency": "'EUR'",
        "orders.orders.state": "'draft'",
        "billing.accounts.id": ":tenant",
        "billing.accounts.state": "'open'",
        "billing.invoice_counters.series": "chr(64 + :seed)",
        "billing.invoices.account_id": ":tenant",
        "billing.invoices.currency": "'EUR'",
        "billing.invoices.state": "'issued'",
        "billing.invoice_lines.amount_minor": ":seed * :seed",
        "metering.meters.aggregation": "'sum'",
        "control.tenants.state": "'active'",
        "control.tenants.sku": "'starter'",
        "control.tenants.region": "'eu-west'",
        "control.placements.tier": "'pool'",
        "control.placements.server": "'home'",
        "control.registrations.salt": "decode(repeat('0' || :seed, 16), 'hex')",
        "*.dead_letters.tenant_id": ":tenant",
        "*.dead_letters.direction": "'incoming'",
        "*.dead_letters.kind": "'failed'",
        "*.parked_keys.kind": "'failed'",
        "*.operator_actions.tenant_id": ":tenant",
        "*.cross_tenant_access.tenant_id": ":tenant",
    ]

    private static let byType: [String: String] = [
        "uuid": "'00000000-0000-7000-8000-00000000000:seed'::uuid",
        "text": "'k:seed'",
        "bigint": ":seed",
        "integer": ":seed",
        "numeric": ":seed",
        "boolean": "true",
        "bytea": "'\\x0:seed'::bytea",
        "jsonb": "'{}'",
        "text[]": "ARRAY['k']",
        "bytea[]": "ARRAY['\\x00'::bytea]",
        "timestamp with time zone": "timestamptz '2026-01-01 00:00:00+00' + :seed * interval '1 minute'",
    ]

    /// - Parameter seed: one digit, not zero.
    func insertion(
        into table: TenantTable, _ tenant: TenantID, _ seed: Int, setting others: [String: String] = [:],
        suffix: String = ""
    ) throws -> SQL {
        let values = try values(table, tenant, seed).merging(others) { _, other in other }
            .sorted { $0.key < $1.key }
        return SQL(
            unsafeSQL: """
                INSERT INTO \(table.name) (\(values.map { "\"\($0.key)\"" }.joined(separator: ", ")))
                VALUES (\(values.map(\.value).joined(separator: ", "))) \(suffix)
                """)
    }

    /// The rows that a row with this seed refers to, from the outermost parent on.
    func parents(of table: TenantTable, _ tenant: TenantID, _ seed: Int) throws -> [SQL] {
        var found: [SQL] = []
        for reference in table.references {
            guard let parent = catalogue.table(reference.parent) else { continue }
            found += try parents(of: parent, tenant, seed)
            found.append(try insertion(into: parent, tenant, seed, suffix: "ON CONFLICT DO NOTHING"))
        }
        return found
    }

    /// One row for the tenant in every table.
    func everywhere(_ tenant: TenantID, _ seed: Int) throws -> [SQL] {
        try catalogue.tables.map { try insertion(into: $0, tenant, seed) }
    }

    /// The tables of a tenant's own schema open to rows of others, so that what else keeps them out shows.
    func opened(_ table: TenantTable) -> [SQL] {
        guard table.isOwn else { return [] }
        return catalogue.tables.filter { $0.schema == table.schema }.map {
            "ALTER TABLE \(unsafeSQL: $0.name) DROP CONSTRAINT IF EXISTS own_tenant"
        }
    }

    /// The tenant's rows gone from every table.
    func nowhere(_ tenant: TenantID) -> [SQL] {
        catalogue.tables.reversed().map { "DELETE FROM \(unsafeSQL: $0.name) WHERE tenant_id = \(tenant)" }
    }

    /// What a reference's columns hold where they lead to that tenant's row with this seed.
    func leading(_ reference: TenantTable.Reference, to tenant: TenantID, _ seed: Int) throws -> [String: String] {
        guard let parent = catalogue.table(reference.parent) else { return [:] }
        let values = try values(parent, tenant, seed)
        var found: [String: String] = [:]
        for (column, parentColumn) in zip(reference.columns, reference.parentColumns) where column != "tenant_id" {
            found[column] = values[parentColumn]
        }
        return found
    }

    private func values(_ table: TenantTable, _ tenant: TenantID, _ seed: Int) throws -> [String: String] {
        var found: [String: String] = [:]
        for column in table.columns {
            let special =
                Self.special["\(table.kind).\(column.name)"] ?? Self.special["*.\(table.table).\(column.name)"]
            guard column.isRequired || special != nil else { continue }
            let template = column.name == "tenant_id" ? ":tenant" : special ?? Self.byType[column.type]
            guard let template else { throw NoFixture(what: "\(table.name).\(column.name), a \(column.type)") }
            found[column.name] = template.replacing(":seed", with: String(seed))
                .replacing(":tenant", with: "'\(tenant)'::uuid")
        }
        return found
    }
}

/// A tenant table that the battery can't fill is one that it can't watch over.
struct NoFixture: Error, CustomStringConvertible {
    let what: String

    var description: String { "no row can be made for \(what); say in RowMaker what it takes" }
}
