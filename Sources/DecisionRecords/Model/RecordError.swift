/// Something that the tool can't do as asked, told so that its user knows what to do.
package struct RecordError: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
