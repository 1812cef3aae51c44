import Kernel
import Messaging
import Metering
import Tenancy
import Web

struct MeterRoutes: Sendable {
    let dataPlane: DataPlane
    let outbox: Outbox
    let identifiers: IdentifierSource
    let clock: WallClock

    var endpoints: [Endpoint] { [define, show, list] }

    private var define: Endpoint {
        Endpoint(
            .put, "/api/v1/meters/{key}", "defineMeter", tag: "Metering", summary: "Defines a meter",
            about: """
                Usage is only taken for meters that have been defined, so that a slip in a name can't start a meter that \
                nobody looks at. The same definition sent again changes nothing; another one is refused, because what \
                was recorded must not change its meaning.
                """,
            access: .tenant(.write), parameters: [meterKey], body: .json(NewMeter.shape),
            success: .ok(Meter.shape, versioned: true), problems: [.builtInMeter, .meterDefinedOtherwise]
        ) { call in
            let definition = MeterDefinition(
                key: try call[meterKey], aggregation: call.body.aggregation, unit: call.body.unit)
            let meter = try await dataPlane.write(call.tenant, as: .metering) { transaction in
                try await DefineMeterHandler(
                    repository: PostgresUsageRepository(
                        transaction: transaction, outbox: outbox, identifiers: identifiers),
                    identifiers: identifiers, clock: clock
                ).handle(definition)
            }
            return call.reply(meter, version: meter.version)
        }
    }

    private var show: Endpoint {
        Endpoint(
            .get, "/api/v1/meters/{key}", "getMeter", tag: "Metering", summary: "Shows a meter",
            access: .tenant(.read), parameters: [meterKey], success: .ok(Meter.shape, versioned: true),
            problems: [.unknownMeter]
        ) { call in
            let key = try call[meterKey]
            let queries = PostgresMeteringQueries(dataPlane: dataPlane, tenant: call.tenant)
            guard let meter = try await queries.meter(key) else { throw MeteringError.unknownMeter(key) }
            return call.reply(meter, version: meter.version)
        }
    }

    private var list: Endpoint {
        Endpoint(
            .get, "/api/v1/meters", "listMeters", tag: "Metering", summary: "Lists meters by key",
            access: .tenant(.read), parameters: [paging], success: .ok(.page(of: Meter.shape))
        ) { call in
            let page = try call[paging]
            let queries = PostgresMeteringQueries(dataPlane: dataPlane, tenant: call.tenant)
            let meters = try await queries.meters(after: page.after, limit: page.fetch)
            return call.reply(page.page(meters) { $0.definition.key })
        }
    }
}

private let meterKey: Parameter<MeterKey> = .path("key", .meterKey, "The meter's key.")
private let paging = Paging(by: Shape<MeterKey>.meterKey)
