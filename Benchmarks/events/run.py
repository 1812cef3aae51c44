#!/usr/bin/env python3
"""The suite `events`: the relay and the consumer against librdkafka and PostgreSQL, delays, an outage, a long history."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import delay
import history
import throughput
from backbone import Backbone

PARTS = {
    "relay": throughput.relay,
    "consumer": throughput.consumer,
    "delay": delay.measure,
    "history": history.measure,
}


def main():
    chosen = os.environ.get("BENCH_PARTS", ",".join(PARTS)).split(",")
    if unknown := [part for part in chosen if part not in PARTS]:
        sys.exit(f"bench: there is no part {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    # Each on a server of its own: a group that has read from one broker would miss its records at another.
    for part in chosen:
        with Backbone() as backbone:
            PARTS[part](backbone)


if __name__ == "__main__":
    main()
