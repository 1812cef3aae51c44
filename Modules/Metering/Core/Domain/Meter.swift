package import Kernel
package import MeteringContracts

/// Something whose usage a tenant measures.
///
/// A meter is defined before it is used: usage of one that nobody has defined is refused, so that a slip in a name
/// can't start a second meter that no invoice will ever look at.
package struct Meter: Sendable {
    package let id: MeterID
    package let definition: MeterDefinition
    package let definedAt: Timestamp
    /// Counts changes of the definition; there are none yet.
    package let version: Int64
    /// How many usage events it has recorded: the sequence of the last.
    package private(set) var recorded: Int64

    /// Defines a meter.
    package init(id: MeterID, definition: MeterDefinition, at now: Timestamp) {
        self.init(restoring: id, definition: definition, definedAt: now, version: 1, recorded: 0)
    }

    /// Brings back a meter that was saved.
    package init(
        restoring id: MeterID, definition: MeterDefinition, definedAt: Timestamp, version: Int64, recorded: Int64
    ) {
        self.id = id
        self.definition = definition
        self.definedAt = definedAt
        self.version = version
        self.recorded = recorded
    }

    /// Holds a definition against the one that stands: what has been recorded must not change its meaning.
    package func confirm(_ other: MeterDefinition) throws(MeteringError) {
        guard definition == other else { throw .definedOtherwise(definition) }
    }

    /// What an event with this value adds.
    package func amount(of value: Quantity?) throws(UsageRefusal) -> Quantity {
        switch definition.aggregation {
        case .sum:
            guard let value else { throw .valueMissing(definition.key) }
            return value
        case .count:
            guard value == nil || value == .one else { throw .valueOnCount(definition.key) }
            return .one
        }
    }

    /// Takes one more event in, and answers its place in the meter's sequence.
    mutating func record() -> Int64 {
        recorded += 1
        return recorded
    }
}
