package import Kernel

/// Reads a contract from any version of it that is known: an older one becomes the newest through its upcasters.
package enum VersionedPayload<Newest: IntegrationEvent> {
    /// The types that can be read, newest first.
    package static var types: [String] { Newest.readableVersions.map { $0.type } }

    package static func read(_ event: ReceivedEvent) throws(Rejection) -> Newest {
        try Messaging.read(event, as: Newest.self)
    }
}

private func read<Version: IntegrationEvent>(_ event: ReceivedEvent, as version: Version.Type) throws(Rejection)
    -> Version
{
    if event.type == version.type { return try event.payload(as: version) }
    guard let superseding = version as? any SupersedingEvent.Type,
        let payload = try upcast(event, to: superseding) as? Version
    else { throw Rejection("\(event.type) is no version that can be read") }
    return payload
}

private func upcast<Version: SupersedingEvent>(_ event: ReceivedEvent, to version: Version.Type) throws(Rejection)
    -> Version
{
    version.init(upcasting: try read(event, as: version.Predecessor.self))
}
