"""Prints every record of Atrium's topics, from the first to the newest, as one JSON object a line.

    read_topics.py <bootstrap servers> <topic>...

A client of its own kind, without a group: it shares no code with what it looks at, and leaves no trace at the broker.
"""

import json
import sys

from confluent_kafka import Consumer, TopicPartition


def text(value):
    return None if value is None else value.decode("utf-8", "replace")


def main(servers, topics):
    consumer = Consumer({
        "bootstrap.servers": servers, "group.id": "none", "enable.auto.commit": False, "enable.partition.eof": False,
        "fetch.wait.max.ms": 20, "allow.auto.create.topics": False})
    ends = {}
    for topic in topics:
        for number in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
            first, end = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)
            # The ledger would miss what the broker has dropped.
            if first != 0:
                sys.exit(f"{topic}[{number}] begins at {first}")
            if end > 0:
                ends[topic, number] = end
    consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
    while ends:
        message = consumer.poll(20)
        if message is None:
            sys.exit(f"nothing came of {sorted(ends)} for 20 s")
        if message.error():
            sys.exit(str(message.error()))
        place = message.topic(), message.partition()
        try:
            data = json.loads(message.value() or b"")
        except ValueError:
            data = None
        print(json.dumps({
            "topic": message.topic(), "partition": message.partition(), "offset": message.offset(),
            "key": text(message.key()), "headers": {name: text(value) for name, value in message.headers() or []},
            "data": data if isinstance(data, dict) else None}))
        if place in ends and message.offset() + 1 >= ends[place]:
            del ends[place]
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
