package import Foundation
package import Kernel
package import MeteringContracts

/// One meter's usage within one minute of UTC.
package struct BucketID: Hashable, Sendable {
    package let meterID: MeterID
    package let minute: Timestamp
}

extension BucketID: Comparable {
    package static func < (left: Self, right: Self) -> Bool {
        (left.meterID, left.minute) < (right.meterID, right.minute)
    }
}

/// What is added to a bucket.
package struct BucketChange: Hashable, Sendable {
    package let id: BucketID
    package internal(set) var count: Int64
    package internal(set) var sum: Decimal
}
