import Foundation
import Identity
import Kernel

/// A moment that tests agree on.
let noon = Timestamp("2026-03-02T12:00:00Z")!

func sampleTenant(_ slug: String = "acme") throws -> Tenant {
    try Tenant(
        id: TenantID(UUID()), slug: Slug(slug), name: DisplayText("Acme Corporation"), sku: SKU("growth"),
        region: Region("eu-central"), at: noon)
}

func activeTenant() throws -> Tenant {
    var tenant = try sampleTenant()
    try tenant.activate(at: noon)
    return tenant
}

func sampleKey(expiresAt: Timestamp? = nil) throws -> APIKey {
    try APIKey(
        id: APIKeyID(UUID()), name: DisplayText("CI"), permission: .read, digest: Array(repeating: 7, count: 32),
        createdBy: "operator", expiresAt: expiresAt, at: noon)
}

/// Identifiers that count up: the first ends in 1.
func countingIdentifiers() -> IdentifierSource {
    .version7(clock: WallClock { noon })
}
