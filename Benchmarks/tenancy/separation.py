"""What each way of keeping tenants apart costs in PostgreSQL: the statements of placing and of reading an order."""

import os
import pathlib
import statistics
import subprocess
import sys
import time

import bench
from tables import ORDERS_IN_ALL, Tables

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = float(os.environ.get("BENCH_SECONDS", "3"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SCHEMAS = [int(count) for count in os.environ.get("BENCH_SCHEMAS", "1,100,1000").split(",")]
SILOS = [int(count) for count in os.environ.get("BENCH_SILOS", "1,20").split(",")]
# Some sides alone, for instance: where,unchecked,signed
CHOSEN = os.environ.get("BENCH_SIDES", "none,where,setting,unchecked,signed,policy,bridge,silo").split(",")
POOL_TENANTS = 100
ACTIVE = 8
# What Atrium keeps prepared on one connection.
CACHE = 256
COLUMNS = [
    ("rate", "transactions/s"), ("rate_to_where", "ratio"), ("cpu", "µs/transaction"), ("cpu_to_where", "ratio"),
    ("p99", "ms"), ("memory", "MiB/connection")]


class Side:
    def __init__(self, name, separation, databases, tenants, cache=CACHE):
        self.name, self.separation, self.databases, self.tenants = name, separation, databases, tenants
        self.orders = max(1, ORDERS_IN_ALL // tenants)
        self.cache = cache
        self.results = {"place": [], "read": []}


def build_driver(folder):
    program = folder / "drive"
    pkg = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "libpq", "libsodium"], capture_output=True, text=True, check=True)
    subprocess.run(
        ["gcc", "-O2", "-o", program, HERE / "drive.c", HERE / "statements.c", *pkg.stdout.split()], check=True)
    return program


def make_sides(atrium):
    tables = Tables(atrium)
    bench.say("making databases of the pool's shape")
    sides = [
        Side(name, name, tables.pool(name, POOL_TENANTS), POOL_TENANTS)
        for name in ["none", "where", "setting", "unchecked", "signed", "policy"] if name in CHOSEN or name == "where"]
    start = time.monotonic()
    bench.say("making bridge schemas")
    for count, databases in tables.bridges(SCHEMAS if "bridge" in CHOSEN else []).items():
        sides.append(Side(f"bridge_{count}", "bridge", databases, count))
        if count * 3 > CACHE:
            sides.append(Side(f"bridge_{count}_all_prepared", "bridge", databases, count, cache=6 * count + 20))
    bench.say(f"made them in {time.monotonic() - start:.0f} s")
    for count in SILOS if "silo" in CHOSEN else []:
        tenants = max(count, POOL_TENANTS // count * count)
        sides.append(Side(f"silo_{count}", "signed", tables.silos(count, tenants), tenants))
    return sides


def drive(atrium, program, side, workload, run, key):
    login = atrium.environment["ATRIUM_DATABASE_URL"]
    output = subprocess.run(
        [program, workload, side.separation, str(SECONDS), str(ACTIVE), str(side.tenants), str(side.orders),
         str(side.cache), str(run), key.hex(), *(atrium.database_url(name, login) for name in side.databases)],
        capture_output=True, text=True, timeout=SECONDS * 2 + 180)
    if output.returncode:
        sys.exit(f"bench: {side.name}, {workload}: {output.stderr}")
    return [float(word) for word in output.stdout.split()]


def measure(atrium):
    program = build_driver(atrium.folder)
    key = atrium.context_key()
    sides = make_sides(atrium)
    atrium.sql("CHECKPOINT")
    run = 1
    with atrium.halted():
        for round_number in range(ROUNDS):
            for workload in ["place", "read"]:
                bench.say(f"SQL, {workload}, round {round_number + 1} of {ROUNDS}")
                for side in sides if round_number % 2 == 0 else reversed(sides):
                    side.results[workload].append(drive(atrium, program, side, workload, run, key))
                    run += 1
    for workload in ["place", "read"]:
        show(workload, sides)


def show(workload, sides):
    baseline = next(side for side in sides if side.name == "where").results[workload]

    def median(values):
        return statistics.median(values)

    rows = []
    for side in sides:
        results = side.results[workload]
        rows.append([
            side.name, median([result[0] for result in results]),
            median([result[0] / base[0] for result, base in zip(results, baseline)]),
            median([result[1] for result in results]),
            median([result[1] / base[1] for result, base in zip(results, baseline)]),
            median([result[4] for result in results]), median([result[2] for result in results]) / 1024])
    bench.table("tenancy", f"sql_{workload}", COLUMNS, rows)
