/// How many connections a pool keeps, and for how long.
package struct PoolConfiguration: Sendable {
    /// Names the pool in logs and statistics.
    package var name: String
    package var maximum = 20
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
    /// How long a connection may take to come to rest after a cancelled statement or an open transaction.
    package var settleTimeout: Duration = .seconds(5)
    /// How long to wait after a failure to connect; doubles at each further failure, up to the maximum.
    package var minimumBackoff: Duration = .milliseconds(50)
    package var maximumBackoff: Duration = .seconds(1)

    package init(name: String = "postgres", maximum: Int = 20) {
        self.name = name
        self.maximum = maximum
    }
}

/// What a pool has, and what it has done since it was made.
package struct PoolStatistics: Sendable, Hashable {
    /// Connections that are open, whatever they do.
    package var open = 0
    package var idle = 0
    /// Lent, or coming to rest after having been lent.
    package var leased = 0
    package var opening = 0
    package var waiting = 0
    package var acquisitions = 0
    package var timeouts = 0
    package var created = 0
    package var destroyed = 0
    package var failures = 0

    package init() {}
}
