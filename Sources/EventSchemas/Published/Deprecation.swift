package import Kernel

/// That a version is on its way out: `"x-deprecated": {"from": …, "sunset": …, "migration": …}` on top of its schema.
package struct Deprecation: Sendable, Hashable {
    /// From when on readers should use another version.
    package let from: Timestamp
    /// From when on it may no longer be published.
    package let sunset: Timestamp
    /// What readers are to do, as a text or an address.
    package let migration: String

    /// What is wrong with one, by JSON Pointer.
    package struct Mistake: Error, Hashable {
        package let pointer: String
        package let reason: String
    }

    /// Nil where the schema has none. Times are RFC 3339, or a date for its first moment in UTC.
    package init?(in schema: JSON) throws(Mistake) {
        let place = "/x-deprecated"
        guard let json = schema["x-deprecated"] else { return nil }
        func time(_ key: String) throws(Mistake) -> Timestamp {
            guard let text = json[key]?.string, let time = Timestamp(text.utf8.count == 10 ? text + "T00:00:00Z" : text)
            else {
                throw Mistake(
                    pointer: "\(place)/\(key)", reason: "is not a date such as 2027-01-31, or an RFC 3339 time")
            }
            return time
        }
        from = try time("from")
        sunset = try time("sunset")
        guard let migration = json["migration"]?.string, !migration.isEmpty else {
            throw Mistake(pointer: "\(place)/migration", reason: "doesn't say what readers are to do")
        }
        self.migration = migration
        guard from < sunset else {
            throw Mistake(pointer: "\(place)/sunset", reason: "is not after \(place)/from")
        }
    }

    package init?(of schema: SchemaDocument) throws(SchemaUnreadable) {
        do {
            try self.init(in: schema.root)
        } catch {
            throw SchemaUnreadable(name: schema.name, reason: "\(error.pointer) \(error.reason)")
        }
    }
}
