#!/usr/bin/env python3
"""The suite `tenancy`: what keeping tenants apart costs, on each tier."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import footprint
import migration
import neighbour
import provisioning
import separation
import tiers
from bench import Atrium

PARTS = {
    "sql": separation.measure,
    "http": tiers.measure,
    "neighbour": neighbour.measure,
    "provisioning": provisioning.measure,
    "migration": migration.measure,
    "footprint_pool": lambda atrium: footprint.measure(atrium, "pool"),
    "footprint_bridge": lambda atrium: footprint.measure(atrium, "bridge"),
    "footprint_silo": lambda atrium: footprint.measure(atrium, "silo"),
}


def main():
    chosen = os.environ.get("BENCH_PARTS", ",".join(PARTS)).split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        sys.exit(f"bench: there is no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    # Each on a server of its own, which nothing of the others has made larger.
    for part in chosen:
        with Atrium() as atrium:
            PARTS[part](atrium)


if __name__ == "__main__":
    main()
