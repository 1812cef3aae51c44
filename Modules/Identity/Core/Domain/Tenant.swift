package import Kernel

/// A customer of the platform, from registration on.
package struct Tenant: Sendable {
    package let id: TenantID
    package let slug: Slug
    package let name: DisplayText
    package let sku: SKU
    package let region: Region
    package private(set) var state: TenantState
    /// Why the tenant is suspended; `nil` unless it is.
    package private(set) var suspensionReason: String?
    package let registeredAt: Timestamp
    package private(set) var updatedAt: Timestamp
    /// Counts the changes the tenant has seen; the first is its registration.
    package private(set) var version: Int64
    package private(set) var recordedEvents: [RecordedEvent] = []

    /// A change that happened, with the version the tenant had after it.
    package struct RecordedEvent: Hashable, Sendable {
        package let event: TenantEvent
        package let version: Int64
        package let at: Timestamp
    }

    /// Registers a new tenant.
    package init(id: TenantID, slug: Slug, name: DisplayText, sku: SKU, region: Region, at now: Timestamp) {
        self.id = id
        self.slug = slug
        self.name = name
        self.sku = sku
        self.region = region
        state = .pending
        registeredAt = now
        updatedAt = now
        version = 0
        record(.registered, at: now)
    }

    /// Brings back a tenant that was saved.
    package init(restoring saved: Saved) {
        id = saved.id
        slug = saved.slug
        name = saved.name
        sku = saved.sku
        region = saved.region
        state = saved.state
        suspensionReason = saved.suspensionReason
        registeredAt = saved.registeredAt
        updatedAt = saved.updatedAt
        version = saved.version
    }

    package struct Saved {
        package let id: TenantID
        package let slug: Slug
        package let name: DisplayText
        package let sku: SKU
        package let region: Region
        package let state: TenantState
        package let suspensionReason: String?
        package let registeredAt: Timestamp
        package let updatedAt: Timestamp
        package let version: Int64

        package init(
            id: TenantID, slug: Slug, name: DisplayText, sku: SKU, region: Region, state: TenantState,
            suspensionReason: String?, registeredAt: Timestamp, updatedAt: Timestamp, version: Int64
        ) {
            self.id = id
            self.slug = slug
            self.name = name
            self.sku = sku
            self.region = region
            self.state = state
            self.suspensionReason = suspensionReason
            self.registeredAt = registeredAt
            self.updatedAt = updatedAt
            self.version = version
        }
    }

    /// Opens a registered tenant for use, once what it needs is there.
    package mutating func activate(at now: Timestamp) throws(IdentityError) {
        guard state == .pending else { throw .illegalMove(from: state, to: .active) }
        try move(to: .active, as: .activated, at: now)
    }

    package mutating func suspend(because reason: DisplayText, at now: Timestamp) throws(IdentityError) {
        try move(to: .suspended, as: .suspended(reason: reason.text), at: now)
        suspensionReason = reason.text
    }

    package mutating func reactivate(at now: Timestamp) throws(IdentityError) {
        guard state == .suspended else { throw .illegalMove(from: state, to: .active) }
        try move(to: .active, as: .reactivated, at: now)
        suspensionReason = nil
    }

    private mutating func move(
        to next: TenantState, as event: TenantEvent, at now: Timestamp
    ) throws(IdentityError) {
        guard state.mayBecome(next) else { throw .illegalMove(from: state, to: next) }
        state = next
        record(event, at: now)
    }

    private mutating func record(_ event: TenantEvent, at now: Timestamp) {
        version += 1
        updatedAt = now
        recordedEvents.append(RecordedEvent(event: event, version: version, at: now))
    }
}
