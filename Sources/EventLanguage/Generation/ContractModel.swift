import Kernel

/// What Swift is made of a schema.
enum ContractType: Hashable {
    /// A type that is there already: of the standard library, of Kernel, or written by hand in the contracts.
    case named(String)
    /// One that is declared by generation.
    case declared(ContractDeclaration)
    indirect case array(ContractType)
    indirect case dictionary(ContractType)

    var name: String {
        switch self {
        case .named(let name): name
        case .declared(let declaration): declaration.name
        case .array(let element): "[\(element.name)]"
        case .dictionary(let value): "[String: \(value.name)]"
        }
    }

    /// The declarations that this needs, itself included.
    var declarations: [ContractDeclaration] {
        switch self {
        case .named: []
        case .declared(let declaration): declaration.nested + [declaration]
        case .array(let element): element.declarations
        case .dictionary(let value): value.declarations
        }
    }
}

/// A type of its own in a context's contracts.
struct ContractDeclaration: Hashable {
    let name: String
    let documentation: String?
    let body: Body

    enum Body: Hashable {
        case structure([ContractProperty])
        /// Every value is known and will be; another one can't be read.
        case closedValues([String])
        /// Some values are known; another one is read and kept as it is.
        case openValues([String])
    }

    var nested: [ContractDeclaration] {
        guard case .structure(let properties) = body else { return [] }
        return properties.flatMap(\.type.declarations)
    }
}

struct ContractProperty: Hashable {
    let name: String
    let type: ContractType
    let isOptional: Bool
    let documentation: String?

    var typeName: String { isOptional ? "\(type.name)?" : type.name }
}

/// One event's type with all that it needs.
struct EventContract {
    let schema: EventSchema
    let properties: [ContractProperty]

    var name: String { schema.title }
}
