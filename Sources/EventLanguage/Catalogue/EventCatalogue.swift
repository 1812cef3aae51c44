import Kernel

/// Who publishes which events and who reacts to them, as the running code declares it, beside what the schemas say.
package struct EventCatalogue: Sendable {
    /// One reaction of a context, and the types that it can be set off by, newest first.
    package struct Reaction: Hashable, Sendable {
        package let context: String
        package let name: String
        package let types: [String]

        package init(context: String, name: String, types: [String]) {
            self.context = context
            self.name = name
            self.types = types
        }
    }

    /// An event in all its versions.
    struct Family {
        let name: String
        /// Newest first.
        let versions: [EventSchema]

        var newest: EventSchema { versions[0] }
        var topic: String { name.split(separator: ".").prefix(2).joined(separator: ".") }
        var page: String { "\(name).md" }
    }

    let families: [Family]
    let published: Set<String>
    let reactions: [Reaction]

    package init(
        schemas: [EventSchema], published: [String], reactions: [Reaction]
    ) throws(CatalogueMistake) {
        let known = Set(schemas.map(\.type))
        for type in published where !known.contains(type) {
            throw CatalogueMistake("\(type) is published without a schema")
        }
        for reaction in reactions {
            for type in reaction.types where !known.contains(type) {
                throw CatalogueMistake("\(reaction.name) reacts to \(type), which has no schema")
            }
        }
        families = Dictionary(grouping: schemas, by: \.family).map { name, versions in
            Family(name: name, versions: versions.sorted { $0.version > $1.version })
        }.sorted { $0.name < $1.name }
        self.published = Set(published)
        self.reactions = reactions.sorted { ($0.context, $0.name) < ($1.context, $1.name) }
    }

    /// Text by file name, for one folder.
    package var files: [String: String] {
        var files = ["asyncapi.json": asyncAPI.indented, "README.md": overview]
        for family in families { files[family.page] = page(of: family) }
        return files
    }

    func isPublished(_ schema: EventSchema) -> Bool { published.contains(schema.type) }

    func reactions(to family: Family) -> [Reaction] {
        let types = Set(family.versions.map(\.type))
        return reactions.filter { !types.isDisjoint(with: $0.types) }
    }
}

/// The code and the schemas contradict each other.
package struct CatalogueMistake: Error, Hashable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
