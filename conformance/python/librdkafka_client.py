"""librdkafka clients at default settings, and what nearly every case does with them."""

import functools
import threading
import time

from confluent_kafka import Consumer, KafkaException, OFFSET_BEGINNING, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import report
from report import equal, unique, until

def conf(**extra):
    return {"bootstrap.servers": report.BOOTSTRAP} | {k.replace("__", "."): v for k, v in extra.items()}


_making_admin = threading.Lock()


@functools.cache
def _the_admin():
    return AdminClient(conf())


def admin():
    """One for all cases: a call dies with the client that made it. Cases that ask for it at the same time would each
    make one, and all but one of those would be thrown away with its calls under way."""
    with _making_admin:
        return _the_admin()


def done(futures, seconds=30):
    """The results of an admin call, by resource; raises the first error."""
    return {key: future.result(seconds) for key, future in futures.items()}


def refused(futures, code):
    """The admin call must fail with this error."""
    for future in futures.values():
        try:
            future.result(30)
        except KafkaException as error:
            equal(error.args[0].name(), code, "error")
            return error.args[0]
    raise AssertionError(f"the call succeeded, expected {code}")


def new_topic(prefix, partitions=1, **config):
    name = unique(prefix)
    done(admin().create_topics([NewTopic(name, partitions, 1, config=config)]))
    until(lambda: usable(name) == partitions, 15, "the new topic's partitions")
    return name


def usable(topic):
    """How many partitions of a topic have a leader."""
    found = admin().list_topics(timeout=10).topics.get(topic)
    return sum(p.leader >= 0 for p in found.partitions.values()) if found else 0


def send(topic, records, **extra):
    """Sends (key, value, headers, partition, timestamp_ms) dictionaries; answers what was delivered, in order of delivery."""
    delivered, failed = [], []

    def on_delivery(error, message):
        if error:
            failed.append(error)
        else:
            delivered.append((message.partition(), message.offset()))

    producer = Producer(conf(**extra))
    for record in records:
        producer.produce(topic, on_delivery=on_delivery, **record)
        producer.poll(0)
    left = producer.flush(30)
    equal(left, 0, "messages that never left")
    if failed:
        raise KafkaException(failed[0])
    return delivered


def receive(consumer, count, seconds=30):
    """Polls `count` messages, no more and no fewer."""
    messages = []
    deadline = time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        messages.append(message)
    equal(len(messages), count, "messages received")
    return messages


def read_all(topic, count, partitions=1, **extra):
    """Reads a topic from its beginning without a group's help."""
    settings = {"group.id": unique("reader"), "enable.auto.commit": False}
    consumer = Consumer(conf(**extra) | settings)
    try:
        consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in range(partitions)])
        return receive(consumer, count)
    finally:
        consumer.close()
