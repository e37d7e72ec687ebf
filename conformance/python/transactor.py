"""A transactional client of librdkafka that is told each call by a line and answers by a line, for the part `transactions`:
transactor.py TRANSACTIONAL_ID GROUP TIMEOUT_MS PROTOCOL, where `-` is none; the broker is in BOOTSTRAP. The lines stand at the head of
src/parts/transactions/client.rs; pagewire.Transactor speaks the same.
"""

import os
import sys

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

CALL_SECONDS = 20
POLL_SECONDS = 0.2
POLLED_MAX = 8
SESSION_MS = 2_000


class Transactor:
    def __init__(self, transactional_id, group, timeout_ms, protocol):
        # Where all brokers are down, as the only one is when it is killed, librdkafka 2.16 forgets them and asks its bootstrap
        # servers anew. A call that waits for the group's coordinator then waits for the one that it forgot (its issue 5511).
        common = {
            "bootstrap.servers": os.environ["BOOTSTRAP"],
            "reconnect.backoff.max.ms": 200,
            "metadata.recovery.strategy": "none",
        }
        self.acknowledged = []
        self.producer = None
        if transactional_id != "-":
            settings = {"transactional.id": transactional_id, "transaction.timeout.ms": int(timeout_ms), "linger.ms": 1}
            self.producer = Producer(common | settings)
        settings = {
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "group.protocol": protocol,
            "max.poll.interval.ms": 10_000,
        }
        if protocol == "classic":
            settings |= {"session.timeout.ms": SESSION_MS, "heartbeat.interval.ms": SESSION_MS // 4}
        # As whom offsets are committed: who this was in its group when it polled last.
        self.member = None
        self.is_shared = False
        self.turns = 0
        self.consumer = Consumer(common | settings)

    def init(self, _):
        self.producer.init_transactions(CALL_SECONDS)

    def begin(self, _):
        self.producer.begin_transaction()

    def send(self, words):
        topic, partition, value = words
        self.producer.produce(topic, value, partition=int(partition), on_delivery=self._delivered)
        self.producer.poll(0)

    def _delivered(self, error, message):
        if not error:
            self.acknowledged.append(written(message))

    def flush(self, _):
        self.producer.flush(CALL_SECONDS)

    def offsets(self, words):
        self.producer.send_offsets_to_transaction(partitions(words), self.member, CALL_SECONDS)

    def commit(self, _):
        self.producer.commit_transaction(CALL_SECONDS)

    def abort(self, _):
        self.producer.abort_transaction(CALL_SECONDS)

    def acked(self, _):
        self.producer.poll(0)
        acknowledged, self.acknowledged = self.acknowledged, []
        return acknowledged

    def committed(self, words):
        """Goes on where the group's committed offsets say, in all these partitions or in its share."""
        asked = self.consumer.assignment() if self.is_shared else partitions(words)
        found = self.consumer.committed(asked, CALL_SECONDS) if asked else []
        for partition in found:
            if partition.error:
                raise KafkaException(partition.error)
            partition.offset = max(partition.offset, 0)
        if self.is_shared:
            for partition in found:
                self.consumer.seek(partition)
        else:
            self.consumer.assign(found)
        return [f"{one.topic}:{one.partition}:{one.offset}" for one in found]

    def subscribe(self, words):
        # With callbacks a share changes in `poll` alone.
        self.is_shared = True
        self.consumer.subscribe(words, on_assign=self._turned, on_revoke=self._turned, on_lost=self._turned)

    def _turned(self, *_):
        self.turns += 1

    def seek(self, words):
        self.consumer.assign(partitions(words))

    def poll(self, _):
        # A message that carries an error says that a connection broke or is back.
        polled, turns = [], self.turns
        while len(polled) < POLLED_MAX:
            one = self.consumer.poll(0 if polled else POLL_SECONDS)
            if one is None:
                break
            if not one.error():
                polled.append(written(one))
            if self.turns != turns and len(polled) > 1:
                raise KafkaException(KafkaError(KafkaError._FATAL, "its share changed amid a poll"))
        self.member = self.consumer.consumer_group_metadata()
        return polled


def written(message):
    return f"{message.topic()}:{message.partition()}:{message.offset()}:{message.value().decode()}"


def partitions(words):
    split = (word.split(":") for word in words)
    return [TopicPartition(topic, int(partition), int(offset)) for topic, partition, offset in split]


def error_of(failure):
    """A fatal error is raised while callbacks run; of those that run after it Python says that they have no business to."""
    while not isinstance(failure, KafkaException):
        if failure.__cause__ is None:
            raise failure
        failure = failure.__cause__
    return failure.args[0]


def kind(error):
    """What is to be done about an error."""
    if error.fatal():
        return "fatal"
    if error.txn_requires_abort():
        return "abort"
    return "retry" if error.retriable() else "fatal"


def main():
    transactor = Transactor(*sys.argv[1:5])
    print("ok", flush=True)
    for line in sys.stdin:
        call, *words = line.split()
        try:
            said = getattr(transactor, call)(words)
            print(" ".join(["ok", *(said or [])]), flush=True)
        except (KafkaException, SystemError) as failure:
            error = error_of(failure)
            print("fail", kind(error), str(error).replace("\n", " "), flush=True)
    # Nothing is said to the broker any more.
    os._exit(0)


if __name__ == "__main__":
    main()
