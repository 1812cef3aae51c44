/// Text as Graphviz reads it between quotes.
enum DotGraph {
    static func escaped(_ text: String) -> String {
        text.replacing(/["\\]/) { "\\" + $0.output }
    }
}
