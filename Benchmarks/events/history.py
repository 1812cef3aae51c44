"""What publishing an event costs with little and with much that was published before."""

import os
import statistics

import bench
from backbone import PAYLOAD, ROUNDS, report

SHORT = 10_000
LONG = int(os.environ.get("BENCH_HISTORY", "10000000"))
EVENTS = int(os.environ.get("BENCH_HISTORY_EVENTS", "20000"))


def grow(backbone, rows):
    """History in today's partition, where it is most in the way: in commits of a hundred thousand."""
    there = int(backbone.number("SELECT count(*) FROM orders.outbox"))
    while there < rows:
        count = min(100_000, rows - there)
        backbone.sql(f"""
            INSERT INTO orders.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at,
                correlation_id, causation_id, traceparent, payload)
            SELECT tenant_id, event_id, 'orders.order', 'orders.order.fulfilled.v1', aggregate_id, 4, now(),
                '0198c0de-0000-7000-8000-00000000c002', NULL,
                '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', {PAYLOAD}
            FROM (SELECT t.tenant AS tenant_id, gen_random_uuid() AS event_id, gen_random_uuid() AS aggregate_id
                FROM generate_series(1, {count}) AS g JOIN public.bench_tenants t ON t.n = g % 32) AS e""")
        there += count
        if there % 1_000_000 == 0:
            bench.say(f"{there:,} rows of history")
    backbone.sql("VACUUM (ANALYZE) orders.outbox; CHECKPOINT")
    return int(backbone.number("SELECT count(*) FROM orders.outbox"))


def cost(backbone):
    """CPU microseconds for an event, of the relay and of PostgreSQL, and events a second."""
    rounds = []
    for _ in range(ROUNDS):
        backbone.skip_published()
        backbone.insert_events(EVENTS)
        with backbone.broker() as broker, backbone.serve(broker, "relay", "orders") as relay:
            before = backbone.atrium.cpu()
            rate, own = relay.rate("atrium_outbox_published_total", "orders", EVENTS)
            _, server = bench.used(before, backbone.atrium.cpu())
        rounds.append((rate, own, server / EVENTS))
    return [statistics.median(column) for column in zip(*rounds)]


def measure(backbone):
    rows = []
    for wanted in (SHORT, LONG):
        there = grow(backbone, wanted)
        rows.append((f"{there:,} rows", *cost(backbone)))
    bench.table(
        "events", "history", [("rate", "events/s"), ("relay", "µs/event"), ("postgres", "µs/event")], rows)
    for index, name in ((2, "relay"), (3, "postgres")):
        report(f"history_cost_{name}", rows[1][index] / rows[0][index], "ratio")
