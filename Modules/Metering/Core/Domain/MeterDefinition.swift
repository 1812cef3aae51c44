/// What the usage events of a meter add up to.
package enum Aggregation: String, CaseIterable, Hashable, Sendable {
    /// The values are added.
    case sum
    /// Each event is one.
    case count
}

/// What a meter measures.
package struct MeterDefinition: Hashable, Sendable {
    package let key: MeterKey
    package let aggregation: Aggregation
    /// What one is, in the tenant's words: `call`, `GB`.
    package let unit: String

    package init(key: MeterKey, aggregation: Aggregation, unit: String) {
        self.key = key
        self.aggregation = aggregation
        self.unit = unit
    }

    /// Meters that every tenant has, recorded by Atrium from what happens in it, and closed to everybody else: whoever
    /// could send such usage too would count it twice.
    package static let builtIn = [MeterDefinition(key: .ordersPlaced, aggregation: .count, unit: "order")]
}

extension MeterKey {
    package var isBuiltIn: Bool { MeterDefinition.builtIn.contains { $0.key == self } }
}
