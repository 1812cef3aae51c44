"""How fast a backlog is published and taken in, against librdkafka and pgbench doing the same."""

import os
import statistics

from backbone import COLUMNS, ROUNDS, TENANTS, UUID7, report

EVENTS = int(os.environ.get("BENCH_EVENTS", "60000"))
TAKEN_IN = int(os.environ.get("BENCH_TAKEN_IN", "15000"))
PGBENCH_SECONDS = int(os.environ.get("BENCH_PGBENCH_SECONDS", "8"))

# A relay's page of one shard at a time, from a place at random, and the cursor's way on.
READ = """\\set shard random(0, 7)
\\set from random(1, :most)
\\startpipeline
BEGIN;
SET LOCAL enable_bitmapscan = off;
SELECT o.transaction_id::text, o.position, {columns} FROM orders.outbox o
    WHERE o.shard = :shard AND (o.transaction_id, o.position) > ((:from)::text::xid8, 0)
        AND o.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY o.transaction_id, o.position LIMIT 250;
UPDATE public.bench_cursor SET position = position + 1 WHERE shard = :shard;
COMMIT;
\\endpipeline
"""

# What the consumer sends for an order to be invoiced: once to find the number, once with the rest.
TAKE_IN = f"""\\set n :n + 1
\\set id (:n * 64 + :client_id)
\\set tenant random(0, {TENANTS - 1})
\\startpipeline
BEGIN;
SELECT platform.enter(billing, billing_until, billing_mac) FROM public.bench_tenants WHERE n = :tenant;
SET LOCAL ROLE billing_app;
INSERT INTO billing.inbox (tenant_id, event_id, reaction) SELECT platform.tenant_id(), {UUID7.format(salt="(:id)::bigint::text")}, 'billing.issue-invoice';
INSERT INTO billing.accounts (tenant_id, id, state, opened_at, version) SELECT platform.tenant_id(), platform.tenant_id(), 'open', now(), 1 ON CONFLICT (tenant_id, id) DO NOTHING;
INSERT INTO billing.invoice_counters AS counter (tenant_id, series, last) SELECT platform.tenant_id(), 'INV', 1 WHERE NOT EXISTS (SELECT FROM billing.invoices WHERE tenant_id = platform.tenant_id() AND order_id = ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid) ON CONFLICT (tenant_id, series) DO UPDATE SET last = counter.last + 1 RETURNING last;
\\endpipeline
\\startpipeline
INSERT INTO billing.invoices (tenant_id, id, series, sequence, account_id, order_id, customer_id, currency, total_minor, state, issued_at, version) SELECT platform.tenant_id(), ('0198c0de-0000-7000-9000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, 'INV', last, platform.tenant_id(), ('0198c0de-0000-7000-8000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, '0198c0de-0000-7000-8000-00000000c001', 'EUR', 13650, 'issued', now(), 1 FROM billing.invoice_counters WHERE tenant_id = platform.tenant_id();
INSERT INTO billing.invoice_lines (tenant_id, invoice_id, number, sku, quantity, unit_price_minor, amount_minor) SELECT platform.tenant_id(), ('0198c0de-0000-7000-9000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, number, sku, quantity, price, amount FROM unnest('{{SEAT-PRO,SETUP}}'::text[], '{{3,1}}'::bigint[], '{{1250,9900}}'::bigint[], '{{3750,9900}}'::bigint[]) WITH ORDINALITY AS line (sku, quantity, price, amount, number);
INSERT INTO billing.outbox (tenant_id, event_id, topic, type, aggregate_id, aggregate_version, occurred_at, correlation_id, causation_id, traceparent, payload) SELECT platform.tenant_id(), {UUID7.format(salt="'o' || (:id)::bigint::text")}, 'billing.invoice', 'billing.invoice.issued.v1', ('0198c0de-0000-7000-9000-' || lpad(to_hex((:id)::bigint), 12, '0'))::uuid, 1, now(), '0198c0de-0000-7000-8000-00000000c002', NULL, '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', repeat('x', 480);
COMMIT;
SELECT pg_current_wal_insert_lsn();
\\endpipeline
"""


def relay(backbone):
    """Draining a backlog, against a producer of the same bytes at the same broker, and against reading the outbox."""
    rounds = []
    kept = backbone.atrium.folder / "records"
    for _ in range(ROUNDS):
        backbone.skip_published()
        backbone.insert_events(EVENTS)
        with backbone.broker() as broker:
            with backbone.serve(broker, "relay", "orders") as relay:
                published, cpu = relay.rate("atrium_outbox_published_total", "orders", EVENTS)
            backbone.kafka("consume", broker.servers, "orders.order", EVENTS, kept)
            raw = EVENTS / backbone.kafka("produce", broker.servers, "bench.raw", kept)
        rounds.append((published, raw, cpu))
    ours, raw, cpu = (statistics.median(column) for column in zip(*rounds))
    backbone.sql("""
        DROP TABLE IF EXISTS public.bench_cursor;
        CREATE TABLE public.bench_cursor (shard int PRIMARY KEY, position bigint) WITH (fillfactor = 50);
        INSERT INTO public.bench_cursor SELECT generate_series(0, 7), 0""")
    # Where 250 events of a shard follow still.
    least, most = backbone.sql(f"""
        SELECT min(t), max(t) FROM (SELECT transaction_id::text::bigint AS t FROM orders.outbox
        ORDER BY position DESC OFFSET {EVENTS // 5} LIMIT {EVENTS // 2}) AS s""").split("|")
    script = READ.format(columns=COLUMNS).replace("random(1, :most)", f"random({least}, {most})")
    limit = backbone.pgbench(script, PGBENCH_SECONDS, 2) * 250
    report("relay_events", ours, "events/s")
    report("relay_cpu", cpu, "µs/event")
    report("raw_producer", raw, "records/s")
    report("postgres_can_deliver", limit, "events/s")
    report("relay_vs_raw_producer", statistics.median(a / b for a, b, _ in rounds), "ratio")
    report("relay_vs_postgres", ours / limit, "ratio")


def consumer(backbone):
    """Taking a backlog in, against a consumer that only counts, and against pgbench doing the same transactions."""
    rounds = []
    with backbone.broker() as broker:
        for number in range(1, ROUNDS + 1):
            backbone.skip_published()
            backbone.insert_events(TAKEN_IN)
            with backbone.serve(broker, "relay", "orders") as relay:
                relay.rate("atrium_outbox_published_total", "orders", TAKEN_IN)
            with backbone.serve(broker, "consumers", "billing") as consumers:
                taken, cpu = consumers.rate("atrium_inbox_processed_total", "billing", TAKEN_IN)
            raw = number * TAKEN_IN / backbone.kafka("consume", broker.servers, "orders.order", number * TAKEN_IN)
            limit = backbone.pgbench(TAKE_IN, PGBENCH_SECONDS, 8, "-D", f"n={number * 1_000_000}")
            rounds.append((taken, raw, limit, cpu))
    ours, raw, limit, cpu = (statistics.median(column) for column in zip(*rounds))
    report("consumer_events", ours, "events/s")
    report("consumer_cpu", cpu, "µs/event")
    report("raw_consumer", raw, "records/s")
    report("pgbench_same_transaction", limit, "transactions/s")
    report("consumer_vs_raw_consumer", statistics.median(row[0] / row[1] for row in rounds), "ratio")
    report("consumer_vs_pgbench", statistics.median(row[0] / row[2] for row in rounds), "ratio")
