import Kernel

/// One thing that is wrong with a request, and where.
package struct Violation: Hashable, Sendable {
    package enum Place: Hashable, Sendable {
        /// Reference tokens of RFC 6901 into the body, outermost first; none stand for the whole of it.
        case body([String])
        case parameter(String)
        case header(String)
    }

    package var place: Place
    package let detail: String

    package init(_ detail: String, at place: Place = .body([])) {
        self.detail = detail
        self.place = place
    }
}

extension Violation {
    static func mistyped(_ expected: String, _ json: JSON) -> Violation {
        Violation("must be \(expected), but is \(json.kind == "null" ? "null" : "of type \(json.kind)")")
    }

    /// The same violation, seen from one level further out.
    func inside(_ token: String) -> Violation {
        guard case .body(let tokens) = place else { return self }
        return Violation(detail, at: .body([token] + tokens))
    }

    var json: JSON {
        var object = JSONObject([.init(name: "detail", value: .string(detail))])
        switch place {
        case .body(let tokens):
            object["pointer"] = .string(tokens.reduce(into: "#") { $0 += "/" + escapedToken($1) })
        case .parameter(let name): object["parameter"] = .string(name)
        case .header(let name): object["header"] = .string(name)
        }
        return .object(object)
    }
}

extension [Violation] {
    /// Puts what was added since `count` one level further in.
    mutating func nest(since count: Int, inside token: @autoclosure () -> String) {
        guard self.count > count else { return }
        let token = token()
        for index in count..<self.count { self[index] = self[index].inside(token) }
    }
}

/// RFC 6901, section 6: `~` and `/` first, then everything that a URI fragment can't hold.
private func escapedToken(_ token: String) -> String {
    var text = ""
    for byte in token.utf8 {
        switch byte {
        case UInt8(ascii: "~"): text += "~0"
        case UInt8(ascii: "/"): text += "~1"
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            text.unicodeScalars.append(Unicode.Scalar(byte))
        default:
            let hex = String(byte, radix: 16, uppercase: true)
            text += hex.utf8.count == 1 ? "%0\(hex)" : "%\(hex)"
        }
    }
    return text
}
