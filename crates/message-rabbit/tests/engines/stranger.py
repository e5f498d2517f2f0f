"""An AMQP client that knows nothing of us: pika.

    stranger.py read ADDRESS QUEUE COUNT     prints a line of JSON for each message, and acks it
    stranger.py write ADDRESS EXCHANGE       publishes what it reads as JSON, a line for each
                                             message, and waits for the confirm of each
"""

import json
import sys

import pika

PATIENCE = 30.0


def read(channel, queue, count):
    for method, properties, body in channel.consume(queue, inactivity_timeout=PATIENCE):
        if method is None:
            sys.exit(f"{count} messages did not come")
        print(json.dumps({
            "routing_key": method.routing_key,
            "redelivered": method.redelivered,
            "body": body.decode(),
            "content_type": properties.content_type,
            "message_id": properties.message_id,
            "delivery_mode": properties.delivery_mode,
            "headers": properties.headers,
        }))
        channel.basic_ack(method.delivery_tag)
        count -= 1
        if count == 0:
            return


def write(channel, exchange):
    channel.confirm_delivery()
    for line in sys.stdin:
        message = json.loads(line)
        # An unconfirmed or unroutable message is an exception.
        channel.basic_publish(
            exchange,
            message["routing_key"],
            message["body"].encode(),
            pika.BasicProperties(delivery_mode=2, **message.get("properties", {})),
            mandatory=True,
        )


if __name__ == "__main__":
    what, address, name, *rest = sys.argv[1:]
    connection = pika.BlockingConnection(pika.URLParameters(address))
    if what == "read":
        read(connection.channel(), name, int(rest[0]))
    else:
        write(connection.channel(), name)
    connection.close()
