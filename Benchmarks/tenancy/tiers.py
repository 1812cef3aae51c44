"""Placing and reading orders over HTTP on each tier, and what the signature of the tenant costs there."""

import os
import pathlib
import statistics

import bench
from bench import wrk
from tables import PLAIN_SETTING_ENTER, UNCHECKED_ENTER
from tenants import Tenant

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = int(float(os.environ.get("BENCH_SECONDS", "4")))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
PLACE, READ = HERE.parent / "http/place.lua", HERE / "read.lua"
COLUMNS = [
    ("rate", "requests/s"), ("rate_ratio", "ratio"), ("cpu_atrium", "µs/request"), ("cpu_postgres", "µs/request"),
    ("cpu_ratio", "ratio"), ("p50", "ms"), ("p99", "ms")]


class Measured:
    """What one side did, round by round."""

    def __init__(self):
        self.rounds = []

    def add(self, atrium, script, *arguments):
        before = atrium.cpu()
        rate, p50, p99 = wrk(atrium, script, SECONDS, *arguments)
        after = atrium.cpu()
        requests = rate * SECONDS
        self.rounds.append((rate, *(time / requests for time in bench.used(before, after)), p50, p99))

    def row(self, name, base):
        def median(values):
            return statistics.median(values)

        return [
            name, median([each[0] for each in self.rounds]),
            median([each[0] / other[0] for each, other in zip(self.rounds, base.rounds)]),
            median([each[1] for each in self.rounds]), median([each[2] for each in self.rounds]),
            median([(each[1] + each[2]) / (other[1] + other[2]) for each, other in zip(self.rounds, base.rounds)]),
            median([each[3] for each in self.rounds]), median([each[4] for each in self.rounds])]


def in_turn(names, round_number):
    return names if round_number % 2 == 0 else list(reversed(names))


def measure(atrium):
    tiers(atrium)
    signature(atrium)


def tiers(atrium):
    tenants = {tier: Tenant(atrium, tier, 1) for tier in ["pool", "bridge", "silo"]}
    orders = {tier: tenant.place() for tier, tenant in tenants.items()}
    for workload in ["place", "read"]:
        measured = {tier: Measured() for tier in tenants}
        for round_number in range(-1, ROUNDS):
            bench.say(f"HTTP, {workload}, round {round_number + 1} of {ROUNDS}, the first to warm up")
            for tier in in_turn(list(tenants), round_number):
                key = tenants[tier].key
                arguments = [PLACE, key, f"{tier}{round_number}"] if workload == "place" else [READ, key, orders[tier]]
                if round_number < 0:
                    wrk(atrium, arguments[0], 1, *arguments[1:])
                else:
                    measured[tier].add(atrium, *arguments)
        bench.table(
            "tenancy", f"http_{workload}", COLUMNS,
            [side.row(tier, measured["pool"]) for tier, side in measured.items()])


def signature(atrium):
    tenant = Tenant(atrium, "pool", 2)
    original = atrium.sql("SELECT pg_get_functiondef('platform.enter'::regproc)") + ";"
    ways = {"plain_setting": PLAIN_SETTING_ENTER, "unchecked": UNCHECKED_ENTER, "signed": original}
    measured = {way: Measured() for way in ways}
    for round_number in range(-1, ROUNDS * 2):
        bench.say(f"HTTP, the signature, round {round_number + 1} of {ROUNDS * 2}, the first to warm up")
        for way in in_turn(list(ways), round_number):
            atrium.sql(ways[way])
            if round_number < 0:
                wrk(atrium, PLACE, 1, tenant.key, f"{way}-warm")
            else:
                measured[way].add(atrium, PLACE, tenant.key, f"{way}{round_number}")
    base = measured["plain_setting"]
    rows = [side.row(way, base) for way, side in measured.items()]
    bench.table("tenancy", "http_place_with", COLUMNS, rows)
    bench.report("tenancy", "signature_cost_of_rate", (1 - rows[-1][2]) * 100, "%")
    bench.report("tenancy", "signature_cost_of_cpu", (rows[-1][5] - 1) * 100, "%")
    calls = {way: [] for way in ways}
    for _ in range(5):
        for way, definition in ways.items():
            atrium.sql(definition)
            calls[way].append(microseconds_of_a_call(atrium))
    cost = {way: statistics.median(values) for way, values in calls.items()}
    for way, value in cost.items():
        bench.report("tenancy", f"enter_{way}", value, "µs CPU/call")
    bench.report(
        "tenancy", "signature_cost_by_calls",
        (cost["signed"] - cost["plain_setting"]) / (rows[0][3] + rows[0][4]) * 100, "% of CPU/order")


def microseconds_of_a_call(atrium, count=10_000):
    """Processor time of platform.enter alone, by what Linux counts for the server process."""
    until, mac = atrium.unbound_signature("00000000-0000-7000-8000-0000000000be", "orders_app")
    clock = "SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::bigint"
    call = f"platform.enter('000000000000700080000000000000be,orders_app', {until}, '\\x{mac}')"
    before, after = atrium.sql(f"""
        BEGIN;
        DO $$ BEGIN PERFORM {call}; END $$;
        {clock};
        DO $$ BEGIN FOR n IN 1..{count} LOOP PERFORM {call}; END LOOP; END $$;
        {clock};
        COMMIT;""").split()
    return (int(after) - int(before)) / 1000 / count
