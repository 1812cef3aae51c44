package import Kernel

/// Two tenants that Atrium made, beside each other in one tier of one database: A tries to reach B, and must not.
package struct CanaryPair: Hashable, Sendable {
    package let a: TenantID
    package let b: TenantID
    package let placement: Tier
    package let database: DatabaseID

    package init(a: TenantID, b: TenantID, placement: Tier, database: DatabaseID) {
        self.a = a
        self.b = b
        self.placement = placement
        self.database = database
    }
}

extension CanaryPair: CustomStringConvertible {
    package var description: String { "\(placement.rawValue) of \(database)" }
}

/// One kind of way from A to B.
package protocol CanaryDoor: Sendable {
    /// As metrics and alarms name it.
    var name: String { get }

    /// Tries each way through the door once.
    ///
    /// - Throws: where a way could not be tried; that says nothing about the fence.
    func attempt(_ pair: CanaryPair) async throws -> CanaryOutcome
}

/// What became of the attempts on one door.
package struct CanaryOutcome: Hashable, Sendable {
    package var attempts = 0
    /// The ways that led to B, in words.
    package var crossings: [String] = []

    package init() {}

    package mutating func record(_ way: String, led crossed: Bool) {
        attempts += 1
        if crossed { crossings.append(way) }
    }
}

/// The canary that should have been there was not to be seen by its own tenant: the attempts would prove nothing.
package struct BlindCanary: Error, CustomStringConvertible {
    package let what: String

    package init(_ what: String) {
        self.what = what
    }

    package var description: String { "the canaries can't watch: \(what)" }
}
