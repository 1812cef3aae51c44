"""From commit to effect at a steady rate, and how soon all is caught up with after the broker was away."""

import os
import time

from backbone import CONSTANTS, COLUMNS, PAYLOAD, TENANTS, UUID7, InBackground, percentile, report

RATE = int(os.environ.get("BENCH_RATE", "500"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "30"))
OUTAGE = int(os.environ.get("BENCH_OUTAGE", "60"))

# A commit of an event, and the word of it that a process without a relay sends.
COMMIT = f"""\\set tenant random(0, {TENANTS - 1})
\\set salt random(1, 1000000000)
\\startpipeline
BEGIN;
SELECT platform.enter(orders, orders_until, orders_mac) FROM public.bench_tenants WHERE n = :tenant;
SET LOCAL ROLE orders_app;
INSERT INTO orders.outbox ({' '.join(COLUMNS.split())}) SELECT tenant_id, event_id, {' '.join(CONSTANTS.split())}, {' '.join(PAYLOAD.split())} FROM (SELECT platform.tenant_id() AS tenant_id, {' '.join(UUID7.format(salt="(:salt)::bigint::text").split())} AS event_id, {' '.join(UUID7.format(salt="'a' || (:salt)::bigint::text").split())} AS aggregate_id) AS e;
COMMIT;
SELECT pg_notify('atrium_outbox', 'orders home atrium');
\\endpipeline
"""

# By PostgreSQL's own commit timestamps: the event in the outbox, its row in the inbox.
DELAYS = """
    SELECT extract(epoch FROM pg_xact_commit_timestamp(i.xmin) - pg_xact_commit_timestamp(o.xmin)) * 1000
    FROM orders.outbox o JOIN billing.inbox i ON i.tenant_id = o.tenant_id AND i.event_id = o.event_id
    WHERE o.recorded_at >= '{since}'"""


def commits(backbone, seconds):
    return backbone.pgbench(COMMIT, seconds, 8, rate=RATE)


def taken_in(backbone, since):
    return backbone.number(f"""
        SELECT count(*) FROM orders.outbox o WHERE o.recorded_at >= '{since}' AND NOT EXISTS (
            SELECT FROM billing.inbox i WHERE i.tenant_id = o.tenant_id AND i.event_id = o.event_id)""") == 0


def measure(backbone):
    backbone.skip_published()
    with backbone.broker() as broker, backbone.serve(broker, "relay,consumers", "orders,billing"):
        # Until the consumers have joined, and every statement has been prepared.
        warm = backbone.sql("SELECT now()")
        commits(backbone, 5)
        backbone.until("the first are invoiced", lambda: taken_in(backbone, warm))
        since = backbone.sql("SELECT now()")
        rate = commits(backbone, SECONDS)
        backbone.until("all are invoiced", lambda: taken_in(backbone, since))
        delays = [float(line) for line in backbone.sql(DELAYS.format(since=since)).splitlines()]
        report("rate", rate, "events/s")
        report("commit_to_effect_p50", percentile(delays, 0.50), "ms")
        report("commit_to_effect_p99", percentile(delays, 0.99), "ms")

        since = backbone.sql("SELECT clock_timestamp()")
        load = InBackground(lambda: commits(backbone, OUTAGE + 45))
        time.sleep(5)
        broker.command("down")
        time.sleep(OUTAGE)
        broker.command("up")
        up = backbone.sql("SELECT clock_timestamp()")
        load.end()
        backbone.until("all are invoiced after the outage", lambda: taken_in(backbone, since))
        # The moment from which on nothing of before was missing any more, and that from which on all came at once.
        behind, caught_up = backbone.sql(f"""
            SELECT extract(epoch FROM max(i) FILTER (WHERE o <= '{up}') - '{up}'),
                extract(epoch FROM max(i) FILTER (WHERE i - o > interval '1 second') - '{up}')
            FROM (SELECT pg_xact_commit_timestamp(o.xmin) AS o, pg_xact_commit_timestamp(i.xmin) AS i
                FROM orders.outbox o JOIN billing.inbox i ON i.tenant_id = o.tenant_id AND i.event_id = o.event_id
                WHERE o.recorded_at >= '{since}') AS e""").split("|")
        report(f"outage_{OUTAGE}s_backlog_gone_after", float(behind), "s")
        report(f"outage_{OUTAGE}s_recovered_after", float(caught_up), "s")
