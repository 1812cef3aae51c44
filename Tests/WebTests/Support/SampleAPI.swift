import Foundation
import Kernel
import Synchronization
import Tenancy
import Web

/// A small API with one of everything that the web layer promises.
enum ThingKind {}
typealias ThingID = Identifier<ThingKind>

enum Colour: String, CaseIterable, Sendable { case red, green, blue }

struct Part: Hashable, Sendable {
    let sku: String
    let quantity: Int64

    static let shape = Shape<Part>.object(
        "Part", "A part of a thing.",
        Field("sku", .string(1...20, .code), "What it is.") { $0.sku },
        Field("quantity", .integer(1...1000), "How many.") { $0.quantity }
    ) { Part(sku: $0, quantity: $1) }
}

struct NewThing: Hashable, Sendable {
    let name: String
    let note: String?
    let parts: [Part]
    let weight: Decimal

    static let shape = Shape<NewThing>.object(
        "NewThing", "What makes a thing.",
        Field("name", .string(1...40, .line), "What it is called.", example: "lamp") { $0.name },
        Field(optional: "note", .string(0...200), "Anything else.") { $0.note },
        Field("parts", .array(of: Part.shape, count: 1...10), "What it is made of.") { $0.parts },
        Field("weight", .decimal(0...1000, fraction: 3), "In kilograms.") { $0.weight }
    ) { NewThing(name: $0, note: $1, parts: $2, weight: $3) }
}

struct Thing: Hashable, Sendable {
    let id: ThingID
    var name: String
    var version: Int64

    static let shape = Shape<Thing>.output(
        "Thing", "A thing as it stands.",
        Field("id", .identifier(ThingID.self), "The thing.") { $0.id },
        Field("name", .string(), "What it is called.") { $0.name },
        Field("version", .integer(1 ... .max), "Counts its changes.") { $0.version }
    )
}

struct Rename: Sendable {
    let name: String

    static let shape = Shape<Rename>.object(
        "Rename", "", Field("name", .string(1...40, .line)) { $0.name }
    ) { Rename(name: $0) }
}

enum ThingError: Error, ProblemConvertible {
    case nameTaken

    var problem: Problem { Problem(.nameTaken, "Take another name.") }
}

extension ProblemType {
    static let nameTaken = ProblemType("name-taken", 409, "The name is taken")
}

/// Things in memory, with receipts kept as a repository would keep them.
final class ThingStore: Sendable {
    struct State {
        var things: [Thing] = []
        var receipts: [String: CommandReceipt] = [:]
        var calls = 0
        /// The parameters of the last list.
        var asked: (depth: Int64, colour: Colour?)?
    }

    let state = Mutex(State())
    var now: State { state.withLock { $0 } }
    let gate = AsyncGate()

    func add(_ thing: Thing) {
        state.withLock { $0.things.append(thing) }
    }

    func insert(_ thing: Thing, receipt: CommandReceipt) throws {
        try state.withLock { state in
            state.calls += 1
            if state.things.contains(where: { $0.name == thing.name }) { throw ThingError.nameTaken }
            if state.receipts[receipt.key] != nil { throw ReceiptExists(key: receipt.key) }
            state.receipts[receipt.key] = receipt
            state.things.append(thing)
        }
    }

    func rename(_ id: ThingID, to name: String, expecting version: Int64) throws -> Thing {
        try state.withLock { state in
            guard let index = state.things.firstIndex(where: { $0.id == id }) else { throw Problem(.notFound) }
            guard state.things[index].version == version else { throw StaleVersion() }
            state.things[index].name = name
            state.things[index].version += 1
            return state.things[index]
        }
    }
}

/// Lets those who wait through once it is opened.
actor AsyncGate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var arrivals: [CheckedContinuation<Void, Never>] = []

    func pass() async {
        for arrival in arrivals { arrival.resume() }
        arrivals = []
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    /// Returns once somebody waits.
    func somebodyWaits() async {
        if !waiting.isEmpty { return }
        await withCheckedContinuation { arrivals.append($0) }
    }

    func open() {
        isOpen = true
        for one in waiting { one.resume() }
        waiting = []
    }
}

private let thingID = Parameter.path("id", .identifier(ThingID.self), "The thing.")
private let colour: Parameter<Colour?> = .query("colour", .enumeration(Colour.self), "Only of this colour.")
private let depth: Parameter<Int64> = .query("depth", .integer(0...5), default: 2)
private let paging = Paging(by: .identifier(ThingID.self))
private let otherPaging = Paging(by: .identifier(ThingID.self))

func sampleEndpoints(_ store: ThingStore) -> [Endpoint] {
    writingEndpoints(store) + readingEndpoints(store) + oddEndpoints(store)
}

private func writingEndpoints(_ store: ThingStore) -> [Endpoint] {
    [
        Endpoint(
            .post, "/api/v1/things", "createThing", tag: "Things", summary: "Makes a thing", access: .tenant(.write),
            body: .json(NewThing.shape),
            idempotency: .receipts { key, _ in store.state.withLock { $0.receipts[key] } },
            success: .created(Thing.shape, versioned: true), problems: [.nameTaken]
        ) { call in
            let thing = Thing(id: IdentifierSource.system.next(), name: call.body.name, version: 1)
            let reply = call.reply(thing, version: 1, location: "/api/v1/things/\(thing.id)")
            try store.insert(thing, receipt: call.receipt(for: reply))
            return reply
        },
        Endpoint(
            .put, "/api/v1/things/{id}/name", "renameThing", tag: "Things", summary: "Renames a thing",
            access: .tenant(.write), parameters: [thingID], body: .json(Rename.shape), ifMatch: true,
            success: .ok(Thing.shape, versioned: true), problems: [.notFound]
        ) { call in
            let thing = try store.rename(call[thingID], to: call.body.name, expecting: call.ifMatch)
            return call.reply(thing, version: thing.version)
        },
        Endpoint(
            .delete, "/api/v1/things/{id}", "deleteThing", tag: "Things", summary: "Removes a thing",
            access: .tenant(.write), parameters: [thingID], success: .noContent
        ) { call in
            let id = try call[thingID]
            store.state.withLock { $0.things.removeAll { $0.id == id } }
            return call.reply()
        },
    ]
}

private func readingEndpoints(_ store: ThingStore) -> [Endpoint] {
    [
        Endpoint(
            .get, "/api/v1/things/{id}", "getThing", tag: "Things", summary: "Shows a thing", access: .tenant(.read),
            parameters: [thingID], success: .ok(Thing.shape, versioned: true), problems: [.notFound]
        ) { call in
            let id = try call[thingID]
            guard let thing = store.state.withLock({ $0.things.first { $0.id == id } }) else {
                throw Problem(.notFound)
            }
            return call.reply(thing, version: thing.version)
        },
        Endpoint(
            .get, "/api/v1/things", "listThings", tag: "Things", summary: "Lists things", access: .tenant(.read),
            parameters: [colour, depth, paging], success: .ok(.page(of: Thing.shape))
        ) { call in
            let (depth, colour) = (try call[depth], try call[colour])
            store.state.withLock { $0.asked = (depth, colour) }
            return call.reply(try listed(store, try call[paging]))
        },
        Endpoint(
            .get, "/api/v1/other-things", "listOtherThings", tag: "Things", summary: "Lists things too",
            access: .tenant(.read), parameters: [otherPaging], success: .ok(.page(of: Thing.shape))
        ) { call in
            call.reply(try listed(store, try call[otherPaging]))
        },
    ]
}

private func listed(_ store: ThingStore, _ page: PageRequest<ThingID>) throws -> Page<Thing> {
    let all = store.state.withLock { $0.things }.sorted { $0.id < $1.id }
    let rows = all.filter { thing in page.after.map { $0 < thing.id } ?? true }
    return page.page(Array(rows.prefix(page.fetch))) { $0.id }
}

private func oddEndpoints(_ store: ThingStore) -> [Endpoint] {
    let word = Shape<String>.object("Word", "", Field("word", .string(1...100)) { $0 }) { $0 }
    return [
        Endpoint(
            .post, "/echo", "echo", tag: "Odd", summary: "Says it again", access: .public,
            body: .either(("application/json", word), ("application/words+json", word)), success: .ok(word)
        ) { call in
            call.reply(call.body)
        },
        Endpoint(
            .get, "/operator", "operate", tag: "Odd", summary: "For the operator", access: .operator,
            success: .noContent
        ) { call in
            call.reply()
        },
        Endpoint(
            .get, "/either", "either", tag: "Odd", summary: "For the operator and tenants", access: .operatorOrTenant,
            success: .ok(word)
        ) { call in
            switch call.who {
            case .operator: call.reply("operator")
            case .tenant(let tenant): call.reply(tenant.caller.tenantSlug)
            }
        },
        Endpoint(
            .get, "/broken", "break", tag: "Odd", summary: "Fails", access: .public, success: .noContent
        ) { _ in
            throw SocketFailure("secret detail")
        },
        Endpoint(
            .get, "/unavailable", "beUnavailable", tag: "Odd", summary: "Fails for now", access: .public,
            success: .noContent
        ) { _ in
            throw DatabaseDown()
        },
        Endpoint(
            .get, "/forgetful", "forgetETag", tag: "Odd", summary: "Replies without its ETag", access: .public,
            success: .noContent(versioned: true)
        ) { call in
            call.reply()
        },
        Endpoint(
            .get, "/slow", "beSlow", tag: "Odd", summary: "Waits for the test", access: .public, success: .ok(word)
        ) { call in
            await store.gate.pass()
            return call.reply("done")
        },
        Endpoint(
            .get, "/words/{word}/of/{language}", "getWord", tag: "Odd", summary: "Says its path", access: .public,
            parameters: [wordParameter, languageParameter], success: .ok(word)
        ) { call in
            call.reply(try call[wordParameter] + "/" + call[languageParameter])
        },
    ]
}

private let wordParameter = Parameter.path("word", .string(1...100))
private let languageParameter = Parameter.path("language", .string(1...100))
