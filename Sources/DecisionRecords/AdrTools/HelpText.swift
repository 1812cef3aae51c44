/// What `adr help` says while it speaks as adr-tools.
enum HelpText {
    static func of(_ words: [String]) -> String {
        texts[words.joined(separator: " ")] ?? overview
    }

    private static let overview = """
        usage: adr help COMMAND [ARG] ...
        COMMAND is one of: 
        \(AdrTools.commands.map { "  \($0)" }.joined(separator: "\n"))
        Run 'adr help COMMAND' for help on a specific command.

        This is the mode that speaks as adr-tools does, chosen by ADR_COMPATIBILITY=adr-tools or by
        `compatibility: adr-tools` in .adr.yaml beside the records. ADR_COMPATIBILITY=native leaves it.
        """

    private static let texts: [String: String] = [
        "init": """
        usage: adr init [DIRECTORY]

        Makes the directory (doc/adr, unless another is named and kept in .adr-dir) and a first record in it.
        """,
        "new": """
        usage: adr new [-s SUPERCEDED] [-l TARGET:LINK:REVERSE-LINK] TITLE_TEXT...

        Makes the record with the next number, opens it in VISUAL or EDITOR and prints its path.

        -s SUPERCEDED                  this record takes the place of that one, and both say so
        -l TARGET:LINK:REVERSE-LINK    links the two: "5:Amends:Amended by"

        Both can be given more than once. A file templates/template.md beside the records is the template; NUMBER,
        TITLE, DATE and STATUS in it are filled in. ADR_DATE is the date in place of today's.
        """,
        "list": "usage: adr list\n\nPrints the paths of the records.",
        "link": """
        usage: adr link SOURCE LINK TARGET REVERSE-LINK

        Links two records both ways: adr link 12 Amends 10 "Amended by"
        """,
        "generate": """
        usage: adr generate [REPORT [OPTION ...]]

        Subcommands:
          adr generate graph
          adr generate toc
        """,
        "generate toc": """
        usage: adr generate toc [-i INTRO] [-o OUTRO] [-p LINK_PREFIX]

        Prints a table of contents in Markdown, between the texts of two files where they are named.
        """,
        "generate graph": """
        usage: adr generate graph [-p LINK_PREFIX] [-e LINK-EXTENSION]

        Prints the records and their links for Graphviz: adr generate graph | dot -Tsvg > graph.svg
        """,
        "config": "usage: adr config\n\nPrints where the program is, as variables of a shell.",
        "upgrade-repository": "usage: adr upgrade-repository\n\nTurns dates like 12/01/1992 into 1992-01-12.",
        "help": "usage: adr help [COMMAND [SUBCOMMAND...]]",
    ]
}
