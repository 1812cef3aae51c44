#!/usr/bin/env python3
"""Prints Atrium's events as they come, and at the end how many of which type each tenant had.

Events are CloudEvents 1.0 in Kafka's binary mode: the attributes are record headers that begin with ce_, the value is
the JSON data. Everything Atrium tells the outside is in this form, so this file is all that another language needs.
"""

import argparse
import json
import os
import shlex
import signal
import sys
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException

TOPICS = ["identity.tenant", "orders.order", "billing.invoice", "metering.usage"]
NO_TENANT = "(no tenant)"


def main():
    options = parse_arguments()
    stopping = stop_on_signals()
    consumer = Consumer(configuration(options))
    consumer.subscribe(TOPICS)
    counts = defaultdict(Counter)
    try:
        for event in events(consumer, options, stopping):
            counts[event["tenant"] or NO_TENANT][event["type"] or "(no CloudEvent)"] += 1
            print(json.dumps(event) if options.json else line(event), flush=True)
    except BrokenPipeError:
        # Whoever read the output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    finally:
        consumer.close()
    if not options.json:
        print_table(counts)
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description="Prints Atrium's events, and a table of them by tenant at the end.")
    parser.add_argument("--from-beginning", action="store_true", help="begin with the oldest events the broker has")
    parser.add_argument("--max", type=positive, metavar="N", help="end after N events")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="end when no event has come for that long")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text, and no table")
    return parser.parse_args()


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def stop_on_signals():
    stopping = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.append(True))
    return stopping


def configuration(options):
    return {
        "bootstrap.servers": bootstrap_servers(),
        # A group of its own for every run: it looks on and takes nothing from anybody. A consumer that must not miss
        # anything keeps its group's name and commits after it has dealt with an event.
        "group.id": f"python-consumer-{uuid.uuid4()}",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest" if options.from_beginning else "latest",
        "error_cb": tell_of_trouble,
    }


def bootstrap_servers():
    if servers := os.environ.get("ATRIUM_KAFKA"):
        return servers
    for folder in [Path.cwd(), *Path.cwd().parents]:
        file = folder / ".atrium" / "dev.env"
        if file.is_file():
            for word in shlex.split(file.read_text(), comments=True):
                name, _, value = word.partition("=")
                if name == "ATRIUM_KAFKA" and value:
                    return value
    sys.exit("No broker is known: start Atrium with `make run`, or set ATRIUM_KAFKA to host:port.")


def tell_of_trouble(error):
    print(harmless(f"{error.name()}: {error.str()}"), file=sys.stderr)


def harmless(text):
    """What others wrote, with characters that a terminal would obey spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def events(consumer, options, stopping):
    seen = 0
    last = time.monotonic()
    while not stopping and (options.max is None or seen < options.max):
        message = consumer.poll(0.2)
        if message is None:
            if options.idle is not None and time.monotonic() - last >= options.idle:
                return
            continue
        if message.error():
            # A topic that nothing has been published to yet may come into being later.
            if message.error().code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                continue
            raise KafkaException(message.error())
        seen += 1
        last = time.monotonic()
        yield event(message)


def event(message):
    headers = {name.lower(): value for name, value in message.headers() or []}

    def attribute(name):
        value = headers.get(name)
        return None if value is None else value.decode("utf-8", "replace")

    return {
        "tenant": attribute("ce_tenantid"),
        "type": attribute("ce_type"),
        "id": attribute("ce_id"),
        "time": attribute("ce_time"),
        "source": attribute("ce_source"),
        "subject": attribute("ce_subject"),
        "correlation": attribute("ce_correlationid"),
        "causation": attribute("ce_causationid"),
        "topic": message.topic(),
        "partition": message.partition(),
        "offset": message.offset(),
        "data": decoded(message.value()),
    }


def decoded(value):
    if value is None:
        return None
    try:
        return json.loads(value)
    except ValueError:
        return value.decode("utf-8", "replace")


def line(event):
    when = event["time"] or "-"
    what = event["type"] or f"{event['topic']} (no CloudEvent)"
    return harmless(f"{event['tenant'] or NO_TENANT:36}  {when:27}  {what:36}  {event['subject'] or '-'}")


def print_table(counts):
    if not counts:
        print("No events.")
        return
    width = max(len(kind) for tenant in counts.values() for kind in tenant)
    print()
    for tenant in sorted(counts):
        print(harmless(f"{tenant}  {sum(counts[tenant].values())} events"))
        for kind, count in sorted(counts[tenant].items()):
            print(harmless(f"    {kind:{width}}  {count:6}"))


if __name__ == "__main__":
    sys.exit(main())
