/// Names of the record headers of the CloudEvents 1.0 Kafka binding, binary mode, with the extensions that Atrium adds.
enum CloudEventHeader {
    static let specVersion = "ce_specversion"
    static let id = "ce_id"
    static let source = "ce_source"
    static let type = "ce_type"
    static let time = "ce_time"
    static let subject = "ce_subject"
    static let dataSchema = "ce_dataschema"
    /// The aggregate's version, padded so that text order is number order (Sequence extension).
    static let sequence = "ce_sequence"
    static let tenant = "ce_tenantid"
    static let correlation = "ce_correlationid"
    static let causation = "ce_causationid"
    /// The same for all versions that one fact is told in.
    static let fact = "ce_factid"
    /// The other types that the same fact is told as, with commas between.
    static let alsoAs = "ce_alsoas"
    /// Reads that bring it show what the event tells of: see `Atrium-Consistency` in the HTTP interface.
    static let consistency = "ce_consistency"
    // Extension "Deprecation".
    static let deprecated = "ce_deprecated"
    static let deprecationFrom = "ce_deprecationfrom"
    static let deprecationSunset = "ce_deprecationsunset"
    static let deprecationMigration = "ce_deprecationmigration"
    /// W3C Trace Context of this hop; not a CloudEvents attribute, so without the prefix.
    static let trace = "traceparent"
    static let contentType = "content-type"
}
