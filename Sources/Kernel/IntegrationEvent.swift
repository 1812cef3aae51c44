/// A fact that one context tells the others: a public contract, never changed once published.
///
/// Its JSON is what `schemas/events/<context>/` describes, and travels as the data of a CloudEvent 1.0.
public protocol IntegrationEvent: Codable, Hashable, Sendable {
    /// The CloudEvents type, `<context>.<aggregate>.<fact>.v<N>`.
    static var type: String { get }
    /// The tenant the fact is about, which the envelope repeats and consumers compare.
    var tenantId: TenantID { get }
}

extension IntegrationEvent {
    /// The first two parts of the type: one topic per aggregate type.
    public static var topic: String {
        type.split(separator: ".").prefix(2).joined(separator: ".")
    }
}
