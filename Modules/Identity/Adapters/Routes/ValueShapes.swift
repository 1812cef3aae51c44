import Identity
import Kernel
import Web

/// The shape of a text that a value of Identity is made from; what the value refuses becomes a violation.
private func shape<Value: Sendable>(
    _ schema: JSON, example: JSON, _ make: @escaping @Sendable (String) throws(IdentityError) -> Value,
    back: @escaping @Sendable (Value) -> String
) -> Shape<Value> {
    .text(schema, example: example) { text throws(TextComplaint) in
        do throws(IdentityError) {
            return try make(text)
        } catch {
            guard case .invalid(_, let reason) = error else { throw TextComplaint("is refused") }
            throw TextComplaint("must \(reason)")
        }
    } format: {
        back($0)
    }
}

extension Shape where Value == Slug {
    static var slug: Shape {
        shape(
            [
                "type": "string", "minLength": .integer(Slug.lengths.lowerBound),
                "maxLength": .integer(Slug.lengths.upperBound), "pattern": .string(Slug.pattern),
            ],
            example: "acme", { text throws(IdentityError) in try Slug(text) }, back: { $0.text })
    }
}

extension Shape where Value == EmailAddress {
    static var email: Shape {
        shape(
            ["type": "string", "format": "email", "maxLength": .integer(EmailAddress.longest)],
            example: "ada@acme.example", { text throws(IdentityError) in try EmailAddress(text) }, back: { $0.text })
    }
}

extension Shape where Value == DisplayText {
    static func line(_ subject: IdentityError.Subject = .name) -> Shape {
        shape(
            [
                "type": "string", "minLength": .integer(DisplayText.lengths.lowerBound),
                "maxLength": .integer(DisplayText.lengths.upperBound),
            ],
            example: "Acme Corporation",
            { text throws(IdentityError) in try DisplayText(text, as: subject) }, back: { $0.text })
    }
}

extension Shape where Value == Password {
    /// Read only in effect: nothing that is answered has a password in it.
    static var password: Shape {
        shape(
            [
                "type": "string", "format": "password", "minLength": .integer(Password.lengths.lowerBound),
                "maxLength": .integer(Password.lengths.upperBound), "writeOnly": true,
            ],
            example: "correct horse battery staple", { text throws(IdentityError) in try Password(text) },
            back: { _ in "" })
    }
}

extension Shape where Value == SKU {
    static var sku: Shape {
        shape(code, example: "growth", { text throws(IdentityError) in try SKU(text) }, back: { $0.code })
    }
}

extension Shape where Value == Region {
    static var region: Shape {
        shape(code, example: "eu-central", { text throws(IdentityError) in try Region(text) }, back: { $0.code })
    }
}

private let code: JSON = ["type": "string", "minLength": 1, "maxLength": 40, "pattern": "^[a-z][a-z0-9-]*$"]
