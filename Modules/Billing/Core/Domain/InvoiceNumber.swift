/// Where invoice numbers are counted: each series of a tenant counts from 1, without a gap.
package struct InvoiceSeries: Hashable, Sendable {
    package let prefix: String

    /// The series that every invoice is in as long as there is no other.
    package static let standard = InvoiceSeries(prefix: "INV")

    package init(prefix: String) {
        self.prefix = prefix
    }
}

/// The number that an invoice is known by, `INV-000042`; it never changes and is never used again.
package struct InvoiceNumber: Hashable, Sendable {
    package let series: InvoiceSeries
    package let sequence: Int64

    package init(series: InvoiceSeries, sequence: Int64) {
        self.series = series
        self.sequence = sequence
    }
}

extension InvoiceNumber: CustomStringConvertible {
    /// At least six digits, more where they are needed.
    package var description: String {
        let digits = String(sequence)
        return "\(series.prefix)-\(String(repeating: "0", count: max(0, 6 - digits.utf8.count)))\(digits)"
    }
}
