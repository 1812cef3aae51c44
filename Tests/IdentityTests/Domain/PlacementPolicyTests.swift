import Foundation
import Identity
import Kernel
import Testing

@Suite("Where a tenant is to live")
struct PlacementPolicyTests {
    @Test(
        "follows from its SKU and region by the first rule that fits",
        arguments: [
            ("starter", "eu-central", Tier.pool, "eu-1", "eu-shared-2", 10),
            ("scale", "eu-central", .bridge, "eu-1", "eu-shared-2", 20),
            ("starter", "us-east", .pool, "any", "any-shared", 10),
            ("growth", "us-east", .silo, "any", "", 5),
        ])
    func rules(sku: String, region: String, tier: Tier, server: String, database: String, rule: Int) throws {
        let tenant = try tenant(sku, region)
        let decision = try samplePolicy().place(tenant, as: nil)
        #expect(decision.tier == tier)
        #expect(decision.server == server)
        #expect(decision.database == (database.isEmpty ? PlacementPolicy.silo(of: tenant.id) : database))
        #expect(decision.rule == rule)
        #expect(!decision.reason.isEmpty)
    }

    @Test("is what the operator says, with the operator's reason and no rule")
    func override() throws {
        let tenant = try tenant("starter", "eu-central")
        let decision = try samplePolicy().place(
            tenant, as: PlacementOverride(tier: .silo, server: "any", reason: DisplayText("contract 7")))
        #expect(
            decision
                == PlacementDecision(
                    tier: .silo, server: "any", database: PlacementPolicy.silo(of: tenant.id), rule: nil,
                    reason: "contract 7"))
    }

    @Test("is never a server of another region, even where the operator names one")
    func residency() throws {
        let tenant = try tenant("starter", "us-east")
        #expect(throws: IdentityError.noPlace(reason: "server eu-1 is not open in region us-east")) {
            try samplePolicy().place(
                tenant, as: PlacementOverride(tier: .pool, server: "eu-1", reason: DisplayText("x")))
        }
    }

    @Test("is nowhere for a SKU that is not sold, a region that is not open, or where no rule fits")
    func nowhere() throws {
        #expect(throws: IdentityError.unknownSKU(try SKU("gold"), sold: ["growth", "scale", "solo", "starter"])) {
            try samplePolicy().place(tenant("gold", "eu-central"), as: nil)
        }
        #expect(throws: IdentityError.unknownRegion(try Region("moon"), open: ["eu-central", "us-east"])) {
            try samplePolicy().place(tenant("starter", "moon"), as: nil)
        }
        #expect(throws: IdentityError.noPlace(reason: "no placement rule fits SKU solo in region us-east")) {
            try samplePolicy().place(tenant("solo", "us-east"), as: nil)
        }
    }

    private func tenant(_ sku: String, _ region: String) throws -> Tenant {
        Tenant(
            id: TenantID(UUID()), slug: try Slug("acme"), name: try DisplayText("Acme"), sku: try SKU(sku),
            region: try Region(region), at: noon)
    }
}

func samplePolicy() -> PlacementPolicy {
    PlacementPolicy(
        skus: ["starter", "growth", "scale", "solo"], regions: ["eu-central", "us-east"],
        rules: [
            .init(number: 20, sku: "scale", region: nil, tier: .bridge, server: nil, reason: "scale has schemas"),
            .init(number: 10, sku: "starter", region: nil, tier: .pool, server: nil, reason: "starter shares"),
            .init(number: 30, sku: "growth", region: nil, tier: .pool, server: nil, reason: "growth shares"),
            .init(
                number: 5, sku: "growth", region: "us-east", tier: .silo, server: nil, reason: "a law of that region"),
        ],
        servers: [
            .init(name: "any", region: nil, shared: ["any-shared": 0]),
            .init(name: "eu-1", region: "eu-central", shared: ["eu-shared-1": 7, "eu-shared-2": 3]),
        ])
}
