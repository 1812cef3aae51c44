/// One line for people to read: 1 to 200 characters, no control characters, no space around it.
package struct DisplayText: Hashable, Sendable {
    package static let lengths = 1...200

    package let text: String

    package init(_ text: String, as subject: IdentityError.Subject = .name) throws(IdentityError) {
        guard Self.lengths.contains(text.unicodeScalars.count) else {
            throw .invalid(
                subject, reason: "be \(Self.lengths.lowerBound) to \(Self.lengths.upperBound) characters long")
        }
        guard text.unicodeScalars.allSatisfy(isVisible) else {
            throw .invalid(subject, reason: "hold no control characters or line breaks")
        }
        guard text.first?.isWhitespace == false, text.last?.isWhitespace == false else {
            throw .invalid(subject, reason: "not begin or end with a space")
        }
        self.text = text
    }

    package init(restoring text: String) {
        self.text = text
    }
}

extension DisplayText: CustomStringConvertible {
    package var description: String { text }
}

/// Control characters could forge lines of a log; directional overrides make a name read as another.
private func isVisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator: false
    default: !("\u{202A}"..."\u{202E}").contains(scalar) && !("\u{2066}"..."\u{2069}").contains(scalar)
    }
}
