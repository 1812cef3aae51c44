import Identity
import IdentityContracts
import Kernel
import Testing

@Suite("A tenant")
struct TenantTests {
    @Test("is pending once registered, and active once activated")
    func registration() throws {
        var tenant = try sampleTenant()
        #expect(tenant.state == .pending)
        #expect(tenant.version == 1)
        try tenant.activate(at: noon)
        #expect(tenant.state == .active)
        #expect(tenant.version == 2)
        #expect(tenant.recordedEvents.map(\.event) == [.registered, .activated])
        #expect(tenant.recordedEvents.map(\.version) == [1, 2])
    }

    @Test("keeps the reason of its suspension until it is reactivated")
    func suspension() throws {
        var tenant = try activeTenant()
        let later = noon.advanced(by: .seconds(60))
        try tenant.suspend(because: DisplayText("overdue"), at: later)
        #expect(tenant.state == .suspended)
        #expect(tenant.suspensionReason == "overdue")
        #expect(tenant.updatedAt == later)
        try tenant.reactivate(at: later)
        #expect(tenant.state == .active)
        #expect(tenant.suspensionReason == nil)
        #expect(tenant.recordedEvents.suffix(2).map(\.event) == [.suspended(reason: "overdue"), .reactivated])
    }

    @Test("makes only the legal moves, and an illegal one changes nothing", arguments: TenantState.allCases)
    func legalMoves(from state: TenantState) throws {
        let moves: [(TenantState, (inout Tenant) throws -> Void)] = [
            (.active, { try $0.activate(at: noon) }),
            (.suspended, { try $0.suspend(because: DisplayText("overdue"), at: noon) }),
            (.active, { try $0.reactivate(at: noon) }),
        ]
        let legal: [TenantState: [Int]] = [.pending: [0], .active: [1], .suspended: [2]]
        for (index, (target, move)) in moves.enumerated() {
            var tenant = try restored(in: state)
            if legal[state]!.contains(index) {
                try move(&tenant)
                #expect(tenant.state == target)
            } else {
                #expect(throws: IdentityError.illegalMove(from: state, to: target)) { try move(&tenant) }
                #expect(tenant.state == state)
                #expect(tenant.version == 5)
                #expect(tenant.recordedEvents.isEmpty)
            }
        }
    }

    @Test("comes back as it was saved, with nothing recorded")
    func rehydration() throws {
        let tenant = try restored(in: .suspended)
        #expect(tenant.version == 5)
        #expect(tenant.suspensionReason == "overdue")
        #expect(tenant.recordedEvents.isEmpty)
    }

    @Test("tells others of itself once it is open, of its suspension and reactivation, and of nothing else")
    func publications() throws {
        var tenant = try activeTenant()
        try tenant.suspend(because: DisplayText("overdue"), at: noon)
        try tenant.reactivate(at: noon)
        let published = tenant.recordedEvents.map { tenant.publication(of: $0) }
        #expect(published[0] == nil)
        #expect(
            published[1] as? TenantRegisteredV1
                == TenantRegisteredV1(
                    tenantId: tenant.id, slug: "acme", name: "Acme Corporation", sku: "growth", region: "eu-central",
                    registeredAt: noon))
        #expect(
            published[2] as? TenantSuspendedV1
                == TenantSuspendedV1(tenantId: tenant.id, slug: "acme", reason: "overdue", suspendedAt: noon))
        #expect(
            published[3] as? TenantReactivatedV1
                == TenantReactivatedV1(tenantId: tenant.id, slug: "acme", reactivatedAt: noon))
    }

    private func restored(in state: TenantState) throws -> Tenant {
        let tenant = try sampleTenant()
        return Tenant(
            restoring: .init(
                id: tenant.id, slug: tenant.slug, name: tenant.name, sku: tenant.sku, region: tenant.region,
                state: state, suspensionReason: state == .suspended ? "overdue" : nil, registeredAt: noon,
                updatedAt: noon, version: 5))
    }
}
