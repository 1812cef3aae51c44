"""How long it takes until a new tenant is open, on each tier."""

import os
import statistics

import bench
from tenants import Tenant

COUNT = int(os.environ.get("BENCH_REGISTRATIONS", "10"))


def measure(atrium):
    times = {"pool": [], "bridge": [], "silo": []}
    for number in range(COUNT):
        for tier, took in times.items():
            took.append(Tenant(atrium, tier, number + 1).took)
    bench.table(
        "tenancy", "provisioning", [("median", "s"), ("slowest", "s")],
        [[tier, statistics.median(took), max(took)] for tier, took in times.items()])
