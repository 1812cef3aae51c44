/// Everything that is wrong with a set of endpoints, found before the first request.
package struct RouteMistakes: Error, CustomStringConvertible {
    package let mistakes: [String]

    package var description: String { mistakes.joined(separator: "\n") }
}

/// Throws where endpoints contradict one another or themselves.
func check(_ endpoints: [Endpoint]) throws(RouteMistakes) {
    var mistakes: [String] = []
    var operations: Set<String> = []
    var routes = RouteTable<Void>()
    var definitions = Definitions()
    for endpoint in endpoints {
        let name = endpoint.operation
        if !operations.insert(name).inserted { mistakes.append("\(name): two endpoints have this operation id") }
        if !routes.add((), method: endpoint.method, path: endpoint.path) {
            mistakes.append("\(name): \(endpoint.method) \(endpoint.path) is served already")
        }
        mistakes += selfContradictions(of: endpoint).map { "\(name): \($0)" }
        definitions.merge(endpoint.outline.definitions)
    }
    mistakes += definitions.conflicts.sorted().map { "\($0): two different shapes have this name" }
    mistakes += problemConflicts(endpoints)
    if !mistakes.isEmpty { throw RouteMistakes(mistakes: mistakes) }
}

private func selfContradictions(of endpoint: Endpoint) -> [String] {
    var mistakes: [String] = []
    let outline = endpoint.outline
    if !endpoint.path.hasPrefix("/") { mistakes.append("\(endpoint.path) doesn't begin with /") }
    let placeholders = endpoint.path.split(separator: "/").compactMap(placeholderName)
    let declared = outline.parameters.filter { $0.place == .path }.map(\.name)
    if placeholders.sorted() != declared.sorted() {
        mistakes.append("the path has the placeholders \(placeholders), but the parameters declare \(declared)")
    }
    let query = outline.parameters.filter { $0.place == .query }.map(\.name)
    if Set(query).count != query.count { mistakes.append("a query parameter is declared twice") }
    for content in outline.contents where !content.isReadable {
        mistakes.append("the body's shape is written by the server and never read")
    }
    if outline.contents.isEmpty == false, endpoint.method == .get || endpoint.method == .delete {
        mistakes.append("\(endpoint.method) takes no body")
    }
    return mistakes
}

/// A type's title and status belong to its URI, whoever declares it.
private func problemConflicts(_ endpoints: [Endpoint]) -> [String] {
    var known: [String: ProblemType] = [:]
    var mistakes: Set<String> = []
    for type in endpoints.flatMap(\.outline.problems) {
        if let other = known[type.slug], other != type {
            mistakes.insert("\(type.slug): two problem types have this slug")
        }
        known[type.slug] = type
    }
    return mistakes.sorted()
}
