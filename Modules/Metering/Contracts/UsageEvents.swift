public import Kernel

public enum MeterKind {}
public typealias MeterID = Identifier<MeterKind>

/// One usage event has taken effect: it is in its minute's bucket, and never will be again.
///
/// The events of one meter carry its sequence without a gap, so that a reader can tell whether it has them all.
public struct UsageRecordedV1: IntegrationEvent {
    public static let type = "metering.usage.recorded.v1"

    public let tenantId: TenantID
    public let meterId: MeterID
    /// The meter's key, such as `api.calls`.
    public let meter: String
    /// CloudEvents `source` of the usage event; with `id` it names the event within the tenant.
    public let source: String
    /// CloudEvents `id` of the usage event.
    public let id: String
    /// What the event adds, as an exact decimal number.
    public let value: String
    /// CloudEvents `subject` of the usage event, where it had one: what or who was used by.
    public let subject: String?
    public let dimensions: [String: String]
    /// When the usage happened.
    public let time: Timestamp
    public let recordedAt: Timestamp

    public init(
        tenantId: TenantID, meterId: MeterID, meter: String, source: String, id: String, value: String,
        subject: String?, dimensions: [String: String], time: Timestamp, recordedAt: Timestamp
    ) {
        self.tenantId = tenantId
        self.meterId = meterId
        self.meter = meter
        self.source = source
        self.id = id
        self.value = value
        self.subject = subject
        self.dimensions = dimensions
        self.time = time
        self.recordedAt = recordedAt
    }
}
