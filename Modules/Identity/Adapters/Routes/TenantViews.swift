import Identity
import Kernel
import Web

extension RegisterTenant {
    static let shape = Shape<RegisterTenant>.object(
        "NewTenant", "What the operator sends to register a tenant.",
        Field("slug", .slug, "The tenant's name in addresses; it never changes.") { $0.slug },
        Field("name", .line(), "The tenant's name for people.") { $0.name },
        Field("sku", .sku, "What the tenant has bought.") { $0.sku },
        Field("region", .region, "Where its data lives.") { $0.region },
        Field("administrator", Administrator.shape, "Who runs it from its first day.") { $0.administrator },
        Field(optional: "placement", PlacementOverride.shape, "Where it is to live, whatever the rules say.") {
            $0.placement
        }
    ) { RegisterTenant(slug: $0, name: $1, sku: $2, region: $3, administrator: $4, placement: $5) }
}

extension PlacementOverride {
    static let shape = Shape<PlacementOverride>.object(
        "PlacementOverride", "A place for a tenant other than its SKU and region would give it.",
        Field("tier", .enumeration(Tier.self), "Shared tables, schemas or a database of its own.", example: "silo") {
            $0.tier
        },
        Field(
            optional: "server", .string(1...40, .code), "The server; any of the region where absent.", example: "home"
        ) {
            $0.server
        },
        Field("reason", .line(.reason), "Why: it is kept in the log of decisions.", example: "Contract 2026-114") {
            $0.reason
        }
    ) { PlacementOverride(tier: $0, server: $1, reason: $2) }
}

extension RegisterTenant.Administrator {
    static let shape = Shape<Self>.object(
        "NewAdministrator", "The first administrator of a tenant.",
        Field("email", .email, "The address to log in with.") { $0.email },
        Field("name", .line(), "A name for people.", example: "Ada Lovelace") { $0.name },
        Field("password", .password, "8 to 256 characters of any kind, taken as they are.") { $0.password }
    ) { Self(email: $0, name: $1, password: $2) }
}

/// Why a tenant is suspended.
struct SuspensionReason: Sendable {
    let reason: DisplayText

    static let shape = Shape<SuspensionReason>.object(
        "SuspensionReason", "Why a tenant is suspended.",
        Field("reason", .line(.reason), "The tenant sees it.", example: "Invoice 2026-0017 is overdue") { $0.reason }
    ) { SuspensionReason(reason: $0) }
}

extension Tenant {
    static let shape = Shape<Tenant>.output(
        "Tenant", "A tenant as it stands.",
        Field("id", .identifier(TenantID.self), "The tenant.") { $0.id },
        Field("slug", .slug, "Its name in addresses.") { $0.slug },
        Field("name", .line(), "Its name for people.") { $0.name },
        Field("sku", .string(1...40), "What it has bought.", example: "growth") { $0.sku.code },
        Field("region", .string(1...40), "Where its data lives.", example: "eu-central") { $0.region.code },
        Field("state", .enumeration(TenantState.self), "A suspended tenant may read and not write.", example: "active")
        {
            $0.state
        },
        Field(optional: "suspensionReason", .string(1...200), "Why it is suspended, where it is.", example: nil) {
            $0.suspensionReason
        },
        Field("registeredAt", .timestamp, "When it was registered.") { $0.registeredAt },
        Field("updatedAt", .timestamp, "When it last changed.") { $0.updatedAt },
        Field("version", .integer(1...Int64.max), "Counts its changes; the same as its ETag.", example: 2) {
            $0.version
        }
    )
}

/// A tenant that was just registered, with what it begins with.
struct RegisteredTenant: Sendable {
    let tenant: Tenant
    let administrator: User
    let key: ShownAPIKey

    static let shape = Shape<RegisteredTenant>.output(
        "RegisteredTenant", "A new tenant with its first administrator and its first key.",
        Field("tenant", Tenant.shape, "The tenant, open for use.") { $0.tenant },
        Field("administrator", User.shape, "Who can log in and make more keys.") { $0.administrator },
        Field("apiKey", ShownAPIKey.shape, "A first key, so that programs can go on at once.") { $0.key }
    )
}

extension User {
    static let shape = Shape<User>.output(
        "User", "A person of the tenant.",
        Field("id", .identifier(UserID.self), "The user.") { $0.id },
        Field("email", .email, "The address to log in with.") { $0.email },
        Field("name", .line(), "A name for people.", example: "Ada Lovelace") { $0.name },
        Field("role", .enumeration(UserRole.self), "Administrators hand out and revoke keys.") { $0.role },
        Field("status", .enumeration(UserStatus.self), "A disabled user may not come in.") { $0.status }
    )
}
