import Foundation
import Kernel
import Postgres
import Tenancy
import TestSupport
import Testing

@testable import IdentityAdapters

@Suite("The fences of Identity's tables")
struct IdentityFenceTests {
    @Test("hold one tenant's users, keys and tenant row apart from another's")
    func tenants() async throws {
        try await IdentityWorld.with { world in
            let acme = try await world.tenant("acme")
            _ = try await world.tenant("globex")
            for table in ["tenants", "users", "api_keys"] {
                let rows = try await world.plane.dataPlane.query(
                    .test(acme.id), as: .identity, "SELECT tenant_id FROM identity.\(unsafeSQL: table)")
                #expect(try rows.map { try $0.decode(TenantID.self) } == [acme.id], "\(table)")
                let none = try await world.plane.dataPlane.query(
                    .test(), as: .identity, "SELECT tenant_id FROM identity.\(unsafeSQL: table)")
                #expect(none.isEmpty, "\(table)")
            }
        }
    }

    @Test(
        "keep the context's own role from tenants, signing keys, operator receipts, and from more than it needs",
        arguments: [
            "SELECT * FROM identity.signing_keys", "SELECT * FROM identity.operator_receipts",
            "UPDATE identity.tenants SET state = 'active'", "DELETE FROM identity.tenants",
            "INSERT INTO identity.users SELECT * FROM identity.users",
            "UPDATE identity.users SET role = 'administrator'",
            "UPDATE identity.users SET tenant_id = tenant_id", "DELETE FROM identity.users",
            "UPDATE identity.api_keys SET digest = digest", "UPDATE identity.api_keys SET permission = 'write'",
            "DELETE FROM identity.api_keys", "SELECT * FROM identity.outbox",
        ])
    func ownRole(_ sql: String) async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                try await plane.dataPlane.write(.test(), as: .identity) {
                    _ = try await $0.rowsWriting(SQL(unsafeSQL: sql))
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test(
        "let the control plane find tenants, and see no user, no password, no key",
        arguments: [
            "SELECT * FROM identity.users", "SELECT * FROM identity.api_keys", "UPDATE identity.tenants SET slug = 'x'",
            "DELETE FROM identity.tenants", "UPDATE identity.signing_keys SET sealed_key = sealed_key",
            "DELETE FROM identity.operator_receipts", "SELECT * FROM identity.outbox",
            "SELECT * FROM identity.receipts",
        ])
    func control(_ sql: String) async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                try await plane.dataPlane.crossTenant(as: .identityControl, reason: "a test", logger: .silent) {
                    _ = try await $0.rowsWriting(SQL(unsafeSQL: sql))
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test("keep the control plane to the tenant it registers")
    func registrationOfAnother() async throws {
        try await IdentityWorld.with { world in
            let acme = try await world.tenant("acme")
            let error = await #expect(throws: PostgresError.self) {
                try await world.plane.dataPlane.crossTenant(as: .identityControl, for: .test(), reason: "a test") {
                    $0.enqueue(
                        """
                        INSERT INTO identity.api_keys (tenant_id, key_id, name, permission, digest, created_by, \
                        created_at, version)
                        VALUES (\(acme.id), \(UUID()), 'x', 'write', \(Array(repeating: UInt8(0), count: 32)), 'x', \
                        now(), 1)
                        """)
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }
}
