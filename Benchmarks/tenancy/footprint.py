"""Memory and connections, with so many tenants of a tier, each touched once."""

import os
import pathlib
import time

import bench
from tenants import register

COUNTS = {
    "pool": int(os.environ.get("BENCH_POOL_TENANTS", "1000")),
    "bridge": int(os.environ.get("BENCH_BRIDGE_TENANTS", "200")),
    "silo": int(os.environ.get("BENCH_SILO_TENANTS", "50")),
}
# To see connections close that nobody has used for ten minutes, longer than that.
IDLE_SECONDS = int(os.environ.get("BENCH_IDLE_SECONDS", "0"))
COLUMNS = [
    ("tenants", "tenants"), ("atrium", "MiB"), ("postgres", "MiB"), ("backends", "MiB"), ("connections", "open"),
    ("disk", "MiB")]


def proportional(pid):
    """Memory in MiB, pages that processes share being divided among them; and what is the process's own alone."""
    found = {}
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
            name, value = line.split()[:2]
            found[name] = int(value) / 1024
    except (OSError, ValueError):
        return 0.0, 0.0
    return found.get("Pss:", 0.0), found.get("Pss_Anon:", 0.0)


def sample(atrium):
    processes = [atrium.postmaster, *bench.children(atrium.postmaster)]
    sizes = [proportional(pid) for pid in processes]
    connections = int(atrium.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'atrium_app'"))
    disk = int(atrium.sql("SELECT sum(pg_database_size(oid)) FROM pg_database")) / 1024**2
    return [
        bench.status(atrium.process.pid, "VmRSS") / 1024, sum(size[0] for size in sizes),
        sum(size[1] for size in sizes), float(connections), disk]


def measure(atrium, tier):
    time.sleep(3)
    rows = [["before", 0, *sample(atrium)]]
    began = time.monotonic()
    tenants = register(atrium, tier, COUNTS[tier])
    bench.say(f"registered {len(tenants)} {tier} tenants in {time.monotonic() - began:.0f} s")
    rows.append(["registered", len(tenants), *sample(atrium)])
    for tenant in tenants:
        tenant.read(tenant.place())
    rows.append(["touched", len(tenants), *sample(atrium)])
    if IDLE_SECONDS:
        time.sleep(IDLE_SECONDS)
        rows.append([f"idle_{IDLE_SECONDS}_s", len(tenants), *sample(atrium)])
    before, after = rows[0], rows[2]
    # Not measured: the growth since the start, as if it went on in proportion.
    share = 1000 / len(tenants)
    growth = [(end - start) * share for start, end in zip(before[2:], after[2:])]
    rows.append(["extrapolated_growth_1000", 1000, *growth])
    bench.table("tenancy", f"footprint_{tier}", COLUMNS, rows)

