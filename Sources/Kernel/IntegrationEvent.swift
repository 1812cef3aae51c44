/// A fact that one context tells the others: a public contract, never changed once published.
///
/// Its JSON is what `schemas/events/<context>/` describes, and travels as the data of a CloudEvent 1.0.
public protocol IntegrationEvent: Codable, Hashable, Sendable {
    /// The CloudEvents type, `<context>.<aggregate>.<fact>.v<N>`.
    static var type: String { get }
    /// Set where readers are asked to move on from this version.
    static var deprecation: EventDeprecation? { get }
    /// The tenant the fact is about, which the envelope repeats and consumers compare.
    var tenantId: TenantID { get }
}

extension IntegrationEvent {
    public static var deprecation: EventDeprecation? { nil }

    /// The first two parts of the type: one topic per aggregate type.
    public static var topic: String {
        type.split(separator: ".").prefix(2).joined(separator: ".")
    }
}

/// When a version of an event goes, and what its readers are to do (CloudEvents extension "Deprecation").
public struct EventDeprecation: Hashable, Sendable {
    public let from: Timestamp
    /// Nothing is published in this version from then on.
    public let sunset: Timestamp
    /// Where the way to the next version is described.
    public let migration: String

    public init(from: Timestamp, sunset: Timestamp, migration: String) {
        self.from = from
        self.sunset = sunset
        self.migration = migration
    }
}

/// A version of an event that came after another; whoever reads it can read the one before as well.
public protocol SupersedingEvent: IntegrationEvent {
    associatedtype Predecessor: IntegrationEvent

    /// The fact as this version tells it, from what the version before knew.
    init(upcasting predecessor: Predecessor)
}

/// A version that is published beside the one before it, until readers of that have moved on.
public protocol SideBySideEvent: SupersedingEvent {
    /// The same fact in the words of the version before.
    var predecessor: Predecessor { get }
}

extension IntegrationEvent {
    /// Every version that this type can be read from, newest first, itself included.
    public static var readableVersions: [any IntegrationEvent.Type] {
        guard let superseding = self as? any SupersedingEvent.Type else { return [self] }
        return [self] + superseding.olderVersions
    }

    /// Every version that a fact of this type is published in, newest first, itself included.
    public static var publishedVersions: [any IntegrationEvent.Type] {
        guard let both = self as? any SideBySideEvent.Type else { return [self] }
        return [self] + both.olderPublishedVersions
    }

    /// The fact in every version that it is published in, newest first.
    public var inPublishedVersions: [any IntegrationEvent] {
        guard let both = self as? any SideBySideEvent else { return [self] }
        return [self] + both.inOlderPublishedVersions
    }
}

extension SupersedingEvent {
    fileprivate static var olderVersions: [any IntegrationEvent.Type] { Predecessor.readableVersions }
}

extension SideBySideEvent {
    fileprivate static var olderPublishedVersions: [any IntegrationEvent.Type] { Predecessor.publishedVersions }
    fileprivate var inOlderPublishedVersions: [any IntegrationEvent] { predecessor.inPublishedVersions }
}
