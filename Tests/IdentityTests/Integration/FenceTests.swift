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
            for (role, table) in [
                (ContextRole.control, "control.tenants"), (.control, "control.placements"),
                (.identity, "identity.users"), (.identity, "identity.api_keys"),
            ] {
                let rows = try await world.plane.dataPlane.query(
                    .test(acme.id), as: role, "SELECT tenant_id FROM \(unsafeSQL: table)")
                #expect(try rows.map { try $0.decode(TenantID.self) } == [acme.id], "\(table)")
                let none = try await world.plane.dataPlane.query(
                    .test(), as: role, "SELECT tenant_id FROM \(unsafeSQL: table)")
                #expect(none.isEmpty, "\(table)")
            }
        }
    }

    @Test(
        "keep the context's own role from tenants, signing keys, operator receipts, and from more than it needs",
        arguments: [
            "SELECT * FROM control.signing_keys", "SELECT * FROM control.operator_receipts",
            "UPDATE control.tenants SET state = 'active'", "DELETE FROM control.tenants",
            "UPDATE identity.users SET role = 'administrator'",
            "UPDATE identity.users SET tenant_id = tenant_id", "DELETE FROM identity.users",
            "UPDATE identity.api_keys SET digest = digest", "UPDATE identity.api_keys SET permission = 'write'",
            "DELETE FROM identity.api_keys", "SELECT * FROM control.outbox",
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
            "SELECT * FROM identity.users", "SELECT * FROM identity.api_keys", "UPDATE control.tenants SET slug = 'x'",
            "UPDATE control.placements SET tier = 'pool'", "DELETE FROM control.routing_decisions",
            "UPDATE control.skus SET weight = 1000", "UPDATE control.signing_keys SET sealed_key = sealed_key",
            "DELETE FROM control.operator_receipts", "SELECT * FROM control.outbox",
            "SELECT * FROM identity.receipts",
        ])
    func control(_ sql: String) async throws {
        try await TestDataPlane.with { plane in
            let error = await #expect(throws: PostgresError.self) {
                try await plane.dataPlane.control(reason: .once("a test"), logger: .silent) {
                    _ = try await $0.rowsWriting(SQL(unsafeSQL: sql))
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }

    @Test("keep the control plane from telling others of a tenant that it does not work on")
    func eventOfAnother() async throws {
        try await IdentityWorld.with { world in
            let acme = try await world.tenant("acme")
            let error = await #expect(throws: PostgresError.self) {
                try await world.plane.dataPlane.control(for: .test(), reason: .once("a test")) {
                    $0.enqueue(
                        """
                        INSERT INTO control.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, \
                        occurred_at, correlation_id, traceparent, payload)
                        VALUES (\(acme.id), \(UUID()), 't', 't', \(UUID()), 1, now(), \(UUID()), 't', 'x')
                        """)
                }
            }
            #expect(error?.sqlState == "42501")
        }
    }
}
