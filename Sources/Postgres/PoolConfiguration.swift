/// How many connections a pool keeps, and for how long.
package struct PoolConfiguration: Sendable {
    /// Names the pool in logs and statistics.
    package var name: String
    /// How many connections are kept when they come back and nobody waits.
    package var size = 20
    /// How many connections there may be beyond `size`; they are closed when they come back and nobody waits.
    package var overflow = 0
    /// The most connections at once, overflow included.
    package var maximum: Int {
        get { size + overflow }
        set { size = max(0, newValue - overflow) }
    }
    /// Connections kept open though nobody uses them, once the pool runs.
    package var minimumIdle = 0
    /// How many connections are being opened at a time: a burst is mostly served by connections that come back.
    package var maximumOpening = 4
    /// How long a borrower waits for a connection, opening one included.
    package var acquisitionTimeout: Duration = .seconds(5)
    package var idleTimeout: Duration = .seconds(600)
    package var lifetime: Duration = .seconds(1800)
    /// By which share of itself a connection's lifetime varies, so that they don't all end together.
    package var lifetimeJitter = 0.1
    /// A connection that nobody used for this long is asked for a sign of life before it is lent.
    package var healthCheckAfterIdle: Duration = .seconds(1)
    package var healthCheckTimeout: Duration = .seconds(1)
    /// When a connection that comes back has to prove that nothing is left on it.
    package var proof = LeaseProof.onSuspicion
    /// Settings with a dot in their name that the proof has to find empty, since `pg_settings` doesn't show them; those
    /// that a statement names itself are found out anyhow.
    package var customSettings: [String] = []
    /// How many borrowers who neither wait nor hold a connection are remembered, for their share and the statistics.
    package var rememberedBorrowers = 256
    /// How long a connection may take to come to rest after a cancelled statement or an open transaction.
    package var settleTimeout: Duration = .seconds(5)
    /// How long to wait after a failure to connect; doubles at each further failure, up to the maximum.
    package var minimumBackoff: Duration = .milliseconds(50)
    package var maximumBackoff: Duration = .seconds(1)

    package init(name: String = "postgres", maximum: Int = 20) {
        self.name = name
        size = maximum
    }

    package init(name: String = "postgres", size: Int, overflow: Int) {
        self.name = name
        self.size = size
        self.overflow = overflow
    }
}

/// When a connection that comes back has to prove that nothing is left on it, at the cost of one round trip.
package enum LeaseProof: Sendable, Hashable {
    /// Where a statement was run that may have left something, by the command tag of its result.
    ///
    /// The tag doesn't tell what a function does: for servers on which the pool's role may not call `set_config` or
    /// the advisory locks of a session.
    case onSuspicion
    /// Always: for servers where those rights can't be revoked.
    case always
}
