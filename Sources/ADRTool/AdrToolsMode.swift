import DecisionRecords

/// Whether the program speaks as adr-tools does.
struct AdrToolsMode {
    private let surroundings: Surroundings
    private let isForced: Bool
    private let isSet: Bool

    init(_ surroundings: Surroundings) throws {
        self.surroundings = surroundings
        switch surroundings.environment["ADR_COMPATIBILITY"] {
        case "adr-tools": (isForced, isSet) = (true, true)
        case "native": (isForced, isSet) = (false, false)
        case nil, "": (isForced, isSet) = (false, Self.isSet(surroundings))
        case let other?: throw RecordError("ADR_COMPATIBILITY is adr-tools or native, and not `\(other)`")
        }
    }

    /// Settings that can't be read are told by the command that needs them.
    private static func isSet(_ surroundings: Surroundings) -> Bool {
        (try? RecordFolder.find(from: surroundings))?.settings.speaksAdrTools ?? false
    }

    /// Where a folder's setting chose the mode, the commands that adr-tools doesn't have are there as well.
    func takes(_ command: String?) -> Bool {
        isForced || isSet && (command.map { AdrTools.commands.contains($0) } ?? true)
    }

    func adrTools(_ program: String) -> AdrTools {
        AdrTools(surroundings: surroundings, program: program, print: Terminal.say, complain: Terminal.complain)
    }
}
