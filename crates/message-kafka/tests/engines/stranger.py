"""A Kafka client that knows nothing of us: confluent-kafka.

    stranger.py read ADDRESS TOPIC COUNT     prints a line of JSON for each record
    stranger.py write ADDRESS TOPIC          writes what it reads as JSON, a line for each record,
                                             and prints where each one lies
"""

import json
import sys

from confluent_kafka import Consumer, KafkaError, Producer

PATIENCE = 30.0


def read(address, topic, count):
    consumer = Consumer({
        "bootstrap.servers": address,
        "group.id": f"{topic}-stranger",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    })
    consumer.subscribe([topic])
    while count > 0:
        record = consumer.poll(PATIENCE)
        if record is None:
            sys.exit(f"{count} records did not come")
        if record.error():
            if record.error().code() == KafkaError._PARTITION_EOF:
                continue
            sys.exit(str(record.error()))
        print(json.dumps({
            "partition": record.partition(),
            "offset": record.offset(),
            "key": text(record.key()),
            "value": text(record.value()),
            "headers": {name: text(value) for name, value in record.headers() or []},
        }))
        count -= 1
    consumer.close()


def write(address, topic):
    # The partitioner of Kafka's own Java client.
    producer = Producer({"bootstrap.servers": address, "partitioner": "murmur2_random"})

    def delivered(error, record):
        if error is not None:
            sys.exit(str(error))
        print(json.dumps({"partition": record.partition(), "offset": record.offset()}))

    for line in sys.stdin:
        record = json.loads(line)
        producer.produce(
            topic,
            key=record.get("key"),
            value=record["value"],
            headers=list(record.get("headers", {}).items()),
            on_delivery=delivered,
        )
        # One after another, so that places come in the order of the lines.
        if producer.flush(PATIENCE) > 0:
            sys.exit("the record was not acknowledged in time")


def text(value):
    return None if value is None else value.decode()


if __name__ == "__main__":
    what, address, topic, *rest = sys.argv[1:]
    if what == "read":
        read(address, topic, int(rest[0]))
    else:
        write(address, topic)
