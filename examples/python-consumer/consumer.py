#!/usr/bin/env python3
"""Keeps a ledger of each tenant's placed orders from Atrium's events: every effect once, whatever dies in between.

    consumer.py run       take events in until told to stop
    consumer.py show      what each tenant's open orders amount to, one JSON object a line
    consumer.py parked    the messages that could not be dealt with, and why
    consumer.py retry     deal with those again, after whatever was wrong is mended
"""

import argparse
import json
import signal
import sys
import time
from pathlib import Path

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException

from events import Contracts
from ledger import TOPICS, Ledger
from watch import bootstrap_servers, harmless, tell_of_trouble

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas" / "events"


def main():
    options = parse_arguments()
    ledger = Ledger(options.store, Contracts.load(options.schemas))
    try:
        if options.command == "run":
            Run(ledger, options).run()
        elif options.command == "retry":
            print(f"{ledger.retry()} dealt with, {len(ledger.parked())} still parked")
        else:
            for row in ledger.totals() if options.command == "show" else ledger.parked():
                print(json.dumps(row))
    finally:
        ledger.close()
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["run", "show", "parked", "retry"])
    parser.add_argument("--store", default="ledger.sqlite", help="the ledger's file (default: %(default)s)")
    parser.add_argument("--schemas", default=SCHEMAS, help="the folder of event schemas (default: Atrium's own)")
    parser.add_argument("--group", default="order-ledger", help="consumer group (default: %(default)s)")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when no event has come for that long")
    return parser.parse_args()


class Run:
    def __init__(self, ledger, options):
        self.ledger = ledger
        self.options = options
        self.stopping = False
        self.last = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)

    def stop(self, *_):
        # The message at hand is dealt with first.
        self.stopping = True

    def run(self):
        self.consumer = Consumer({
            "bootstrap.servers": bootstrap_servers(),
            "group.id": self.options.group,
            # The ledger knows how far it is: its offset is part of the transaction of each effect.
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            # How long the others, or its own next run, wait for one that was killed.
            "session.timeout.ms": 10_000,
            "error_cb": tell_of_trouble,
        })
        self.consumer.subscribe(TOPICS, on_assign=self.begin)
        counts = {"applied": 0, "known": 0, "ignored": 0, "parked": 0}
        try:
            while not self.stopping:
                message = self.consumer.poll(0.2)
                if message is None:
                    if self.is_idle():
                        break
                    continue
                if message.error():
                    # A topic that nothing has been published to yet may come into being later.
                    if message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        continue
                    raise KafkaException(message.error())
                self.last = time.monotonic()
                outcome, remark = self.ledger.take(
                    message.topic(), message.partition(), message.offset(), message.key(), message.headers(),
                    message.value())
                counts[outcome] += 1
                if remark is not None:
                    what = "parked" if outcome == "parked" else "deprecated"
                    print(f"{what}: {harmless(remark)}", file=sys.stderr, flush=True)
                if outcome == "applied":
                    print(f"applied {message.topic()}/{message.partition()}@{message.offset()}", flush=True)
        finally:
            self.consumer.close()
        print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), flush=True)

    def is_idle(self):
        """Whether nothing has come for as long as was asked for, since the broker let it in."""
        return None not in (self.options.idle, self.last) and time.monotonic() - self.last >= self.options.idle

    def begin(self, consumer, partitions):
        """Goes on where the ledger ended, and says so when the broker has nothing of that any more."""
        for partition in partitions:
            known = self.ledger.offset(partition.topic, partition.partition)
            partition.offset = OFFSET_BEGINNING if known is None else known
            if known is None:
                continue
            oldest, end = consumer.get_watermark_offsets(partition, timeout=10)
            if known < oldest:
                print(
                    f"ALARM: {oldest - known} messages of {partition.topic}/{partition.partition} were gone before they "
                    "were read; have Atrium publish them again", file=sys.stderr, flush=True)
            if known > end:
                print(
                    f"ALARM: {partition.topic}/{partition.partition} ends before what was read: it was made anew",
                    file=sys.stderr, flush=True)
            if not oldest <= known <= end:
                # The topic was made anew, or what is there is all that is left; facts that are known change nothing.
                partition.offset = OFFSET_BEGINNING
        consumer.assign(partitions)
        self.last = time.monotonic()


if __name__ == "__main__":
    sys.exit(main())
