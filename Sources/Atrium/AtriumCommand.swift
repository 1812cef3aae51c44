import ArgumentParser

struct AtriumCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "atrium",
        abstract: "The back end of a company that sells software to other companies.",
        subcommands: [
            Dev.self, Serve.self, Migrate.self, Backfill.self, Tenants.self, Manifest.self, Events.self, Schemas.self,
        ])
}
