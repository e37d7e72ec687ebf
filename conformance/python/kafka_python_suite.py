"""kafka-python 3, a client that shares no line with any other, and the older versions it can be told to speak."""

import threading
import time
import uuid

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource
from kafka import errors
from kafka.structs import OffsetAndMetadata

import report
from report import case, cases_for, equal, payload, unique, until

HEADERS = [("trace", b"abc"), ("trace", b"second of the same name"), ("empty", b"")]


def admin(**extra):
    return KafkaAdminClient(bootstrap_servers=report.BOOTSTRAP, **extra)


def consumer(*topics, **extra):
    settings = {"auto_offset_reset": "earliest"} | extra
    return KafkaConsumer(*topics, bootstrap_servers=report.BOOTSTRAP, **settings)


def refused(error, call):
    """The call must raise this error."""
    try:
        call()
    except error:
        return
    raise AssertionError(f"the call succeeded, expected {error.__name__}")


def new_topic(prefix, partitions=1, configs=None):
    name = unique(prefix)
    a = admin()
    a.create_topics({name: {"num_partitions": partitions, "replication_factor": 1, "configs": configs or {}}})
    a.wait_for_topics([name])
    a.close()
    return name


def send(topic, records, **extra):
    """Sends records given as keyword arguments of `send`; answers their metadata, in order."""
    producer = KafkaProducer(bootstrap_servers=report.BOOTSTRAP, **extra)
    try:
        futures = [producer.send(topic, **record) for record in records]
        producer.flush(30)
        return [future.get(30) for future in futures]
    finally:
        producer.close(10)


def receive(c, count, seconds=30):
    got = []
    deadline = time.monotonic() + seconds
    while len(got) < count and time.monotonic() < deadline:
        for batch in c.poll(200, max_records=count - len(got)).values():
            got.extend(batch)
    equal(len(got), count, "records received")
    return got


def read_all(topic, count, partitions=1, **extra):
    c = consumer(**extra)
    c.assign([TopicPartition(topic, p) for p in range(partitions)])
    c.seek_to_beginning()
    try:
        return receive(c, count)
    finally:
        c.close()


def round_trip(codec, **extra):
    """Every shape of record, through one codec."""
    topic = new_topic(f"kp-{codec}")
    sent = [
        {"key": b"k1", "value": b"plain", "headers": HEADERS},
        {"key": None, "value": b"no key"},
        {"key": b"tombstone", "value": None},
        {"key": b"", "value": b""},
        {"key": b"big", "value": payload(900 * 1024)},
    ] + [{"key": b"many-%d" % i, "value": b"repeated text " * 20} for i in range(300)]
    send(topic, sent, compression_type=codec, linger_ms=20, **extra)
    for i, (record, expected) in enumerate(zip(read_all(topic, len(sent), **extra), sent)):
        equal(record.offset, i, "offset")
        equal(record.key, expected["key"], f"key of {i}")
        equal(record.value, expected["value"], f"value of {i}")
        equal(list(record.headers), expected.get("headers", []), f"headers of {i}")


@cases_for("codec", [(c or "none", c) for c in (None, "gzip", "snappy", "lz4", "zstd")])
def codec(name):
    round_trip(name)


@cases_for("as_version", [("_".join(map(str, v)), v) for v in ((2, 1), (2, 4), (2, 8), (3, 0), (3, 7), (4, 0))])
def as_version(version):
    """The versions of every message that a broker of that release would have offered."""
    round_trip("gzip", api_version=version)
    topic, group = new_topic("kp-old", 2), unique("kp-old-group")
    send(topic, [{"value": b"%d" % i, "partition": i % 2} for i in range(20)], api_version=version)
    for expected in (20, 10):
        c = consumer(topic, group_id=group, api_version=version)
        receive(c, expected)
        c.commit()
        c.close()
        send(topic, [{"value": b"v", "partition": 0} for _ in range(10)], api_version=version)


@cases_for("acks", [("0", 0), ("1", 1), ("all", "all")])
def acks(value):
    topic = new_topic("kp-acks")
    send(topic, [{"value": b"%d" % i} for i in range(200)], acks=value, enable_idempotence=False)
    equal([r.value for r in read_all(topic, 200)], [b"%d" % i for i in range(200)], "values")


@case
def idempotent_producer_keeps_order():
    topic = new_topic("kp-idem")
    sent = send(topic, [{"value": b"%d" % i} for i in range(2000)], enable_idempotence=True)
    equal([m.offset for m in sent], list(range(2000)), "offsets acknowledged")
    equal([int(r.value) for r in read_all(topic, 2000)], list(range(2000)), "values")

@case
def transactions_are_read_whole_or_not_at_all():
    topic = new_topic("kp-txn", 2)
    producer = KafkaProducer(bootstrap_servers=report.BOOTSTRAP, transactional_id=unique("kp-txn"))
    producer.init_transactions()
    for number in range(6):
        producer.begin_transaction()
        for i in range(20):
            for partition in range(2):
                producer.send(topic, b"%d-%d" % (number, i), partition=partition)
        producer.flush(30)
        if number % 2:
            producer.abort_transaction()
        else:
            producer.commit_transaction()
    producer.close(10)
    kept = [b"%d-%d" % (number, i) for number in (0, 2, 4) for i in range(20)]
    got = read_all(topic, 2 * len(kept), partitions=2, isolation_level="read_committed")
    for partition in range(2):
        equal([r.value for r in got if r.partition == partition], kept, f"values in partition {partition}")



class Reading:
    """Members of a group, each polled by a thread of its own, as applications do.

    One thread polling two members in turn would not do: kafka-python drops the answer to a JoinGroup that comes while its
    member is in no `poll`, and joins anew, which sends the other member back to join, and so on.
    """

    def __init__(self):
        self.seen = []
        self.failures = []
        self.running = []

    def start(self, member):
        stop = threading.Event()
        thread = threading.Thread(target=self._poll, args=(member, stop), daemon=True)
        self.running.append((member, stop, thread))
        thread.start()

    def _poll(self, member, stop):
        try:
            while not stop.is_set():
                for batch in member.poll(2000).values():
                    self.seen.extend((r.partition, r.offset) for r in batch)
        except Exception as failure:
            self.failures.append(failure)

    def close(self, member):
        """Ends the member's thread and lets it leave the group."""
        _, stop, thread = next(entry for entry in self.running if entry[0] is member)
        stop.set()
        thread.join(45)
        equal(thread.is_alive(), False, "a member's thread still polls")
        member.close()

    def until(self, finished, what):
        def step():
            if self.failures:
                raise self.failures[0]
            return finished()

        until(step, 45, what)


@case
def group_of_two_reads_every_record_once():
    topic, group = new_topic("kp-two", 6), unique("kp-two-group")
    reading = Reading()
    seen = reading.seen

    def batch():
        send(topic, [{"value": b"v", "partition": i % 6} for i in range(600)])

    batch()
    first, second = consumer(topic, group_id=group), consumer(topic, group_id=group)
    reading.start(first)
    reading.until(lambda: len(seen) >= 600, "the first member reading everything")
    reading.start(second)
    reading.until(lambda: [len(c.assignment()) for c in (first, second)] == [3, 3], "both members sharing the partitions")
    batch()
    reading.until(lambda: len(seen) >= 1200, "two members reading everything")
    reading.close(second)
    batch()
    reading.until(lambda: len(seen) >= 1800 and len(first.assignment()) == 6, "the member left behind taking over")
    reading.close(first)
    equal((len(seen), len(set(seen))), (1800, 1800), "records and distinct records")


@case
def commit_and_resume():
    topic, group = new_topic("kp-commit"), unique("kp-commit-group")
    send(topic, [{"value": b"%d" % i} for i in range(100)])
    partition = TopicPartition(topic, 0)
    first = consumer(topic, group_id=group, enable_auto_commit=False)
    receive(first, 40)
    first.commit({partition: OffsetAndMetadata(40, "forty", -1)})
    first.close()
    second = consumer(topic, group_id=group, enable_auto_commit=False)
    equal([r.offset for r in receive(second, 60)], list(range(40, 100)), "offsets after resuming")
    equal(second.committed(partition, metadata=True).metadata, "forty", "metadata")
    second.close()


@case
def manual_commits_without_members():
    topic, group = new_topic("kp-simple"), unique("kp-simple-group")
    send(topic, [{"value": b"%d" % i} for i in range(10)])
    partition = TopicPartition(topic, 0)
    c = consumer(group_id=group, enable_auto_commit=False)
    c.assign([partition])
    receive(c, 5)
    c.commit({partition: OffsetAndMetadata(5, "", -1)})
    equal(c.committed(partition), 5, "committed")
    c.close()


@case
def seek_by_time():
    topic = new_topic("kp-time")
    start = int(time.time() * 1000) - 3_600_000
    send(topic, [{"value": b"%d" % i, "timestamp_ms": start + i * 1000} for i in range(60)])
    partition = TopicPartition(topic, 0)
    c = consumer()
    c.assign([partition])
    ask = lambda t: c.offsets_for_times({partition: t})[partition]
    equal(ask(start + 30_000).offset, 30, "offset at an exact time")
    equal(ask(start + 30_001).offset, 31, "offset between two times")
    equal(ask(start + 3_000_000), None, "offset after the last time")
    equal((c.beginning_offsets([partition]), c.end_offsets([partition])), ({partition: 0}, {partition: 60}), "ends")
    c.seek(partition, ask(start + 45_000).offset)
    got = receive(c, 15)
    equal((got[0].offset, got[0].timestamp), (45, start + 45_000), "the record after seeking")
    c.close()


@case
def too_large_record_is_refused():
    topic = new_topic("kp-large")
    big = [{"value": payload(1_500_000)}]
    refused(errors.MessageSizeTooLargeError, lambda: send(topic, big, max_request_size=4_000_000))
    send(topic, [{"value": b"small"}])
    equal([r.value for r in read_all(topic, 1)], [b"small"], "what is left")


@case
def topics_create_describe_delete():
    a, name = admin(), unique("kp-topic")
    options = {name: {"num_partitions": 3, "replication_factor": 1}}
    a.create_topics(options, wait_for_metadata=True)
    refused(errors.TopicAlreadyExistsError, lambda: a.create_topics(options))
    described = a.describe_topics([name])[0]
    equal(len(described["partitions"]), 3, "partitions")
    first_id = described["topic_id"]
    equal(a.describe_topics([uuid.UUID(str(first_id))])[0]["name"], name, "name found by id")
    a.create_partitions({name: 5})
    until(lambda: len(a.describe_topics([name])[0]["partitions"]) == 5, 15, "five partitions")
    refused(errors.InvalidPartitionsError, lambda: a.create_partitions({name: 4}))
    a.delete_topics([name])
    until(lambda: name not in a.list_topics(), 15, "the topic gone")
    refused(errors.UnknownTopicOrPartitionError, lambda: a.delete_topics([name]))
    a.create_topics(options, wait_for_metadata=True)
    if a.describe_topics([name])[0]["topic_id"] == first_id:
        raise AssertionError("a topic created again kept its id")
    a.close()


@case
def topic_partitions_are_paged():
    names = sorted(new_topic("kp-paged", 3) for _ in range(2))
    a = admin()
    seen, cursor = [], None
    for _ in range(10):
        page = a.describe_topic_partitions(names, response_partition_limit=2, cursor=cursor)
        for topic in page["topics"]:
            seen.extend((topic["name"], p["partition_index"]) for p in topic["partitions"])
        cursor = page.get("next_cursor")
        if not cursor:
            break
    equal(seen, [(n, p) for n in names for p in range(3)], "partitions over all pages")
    a.close()


@case
def configs_describe_and_alter():
    a, topic = admin(), new_topic("kp-configs", configs={"retention.ms": "3600000"})
    resource = lambda configs: ConfigResource("topic", topic, configs)

    def value(name):
        found = a.describe_configs([resource(None)], include_synonyms=True, config_filter="all")
        return found["topic"][topic][name]

    equal(value("retention.ms")["value"], "3600000", "a set value")
    equal(value("max.message.bytes")["value"], "1048588", "a default")
    a.alter_configs([resource({"max.message.bytes": "2000000", "retention.ms": ("DELETE", None)})])
    until(lambda: value("max.message.bytes")["value"] == "2000000", 10, "the altered value")
    equal(value("retention.ms")["value"], "604800000", "a value taken back")
    a.alter_configs([resource({"max.message.bytes": "3000000"})], incremental=False)
    until(lambda: value("max.message.bytes")["value"] == "3000000", 10, "the value of the older call")
    names = [s["name"] for s in value("max.message.bytes")["synonyms"]]
    equal(names, ["max.message.bytes", "message.max.bytes"], "synonyms")
    a.close()


@case
def groups_list_describe_delete():
    topic, group, a = new_topic("kp-groups"), unique("kp-groups-group"), admin()
    send(topic, [{"value": b"v"} for _ in range(10)])
    partition = TopicPartition(topic, 0)
    c = consumer(topic, group_id=group, client_id="kp-client")
    receive(c, 10)
    c.commit()
    described = a.describe_groups([group])[group]
    equal((described["group_state"], described["protocol_type"]), ("Stable", "consumer"), "state")
    equal([m["client_id"] for m in described["members"]], ["kp-client"], "members")
    if group not in [g["group_id"] for g in a.list_groups(states_filter=["stable"])]:
        raise AssertionError("the group is not listed as stable")
    equal(a.delete_groups([group])[group], "NonEmptyGroupError", "deleting a live group")
    c.close()
    equal(a.list_group_offsets(group)[group][partition].offset, 10, "committed")
    a.alter_group_offsets(group, {partition: OffsetAndMetadata(4, "", -1)})
    equal(a.list_group_offsets(group)[group][partition].offset, 4, "altered")
    a.delete_group_offsets(group, [partition])
    if partition in a.list_group_offsets(group)[group]:
        raise AssertionError("the offset is still there")
    equal(a.delete_groups([group])[group], "OK", "deleting an empty group")
    equal(a.delete_groups([group])[group], "GroupIdNotFoundError", "deleting it again")
    a.close()


@case
def offsets_records_and_log_dirs():
    topic, a = new_topic("kp-admin"), admin()
    start = int(time.time() * 1000) - 60_000
    for at in (start, start + 9000, start + 2000):
        send(topic, [{"value": b"v" * 100, "timestamp_ms": at}])
    partition = TopicPartition(topic, 0)
    ask = lambda spec: a.list_partition_offsets({partition: spec})[partition].offset
    equal((ask(-2), ask(-1), ask(-3), ask(start + 1)), (0, 3, 1, 1), "earliest, latest, largest, by time")
    # Everything is local, so the earliest local offset is the first and nothing was ever tiered.
    equal((ask(-4), ask(-5)), (0, -1), "earliest local and latest tiered")
    a.delete_records({partition: 2})
    equal((ask(-2), ask(-4)), (2, 2), "earliest after deleting records")
    found = [
        p["partition_size"]
        for broker in a.describe_log_dirs([topic])
        for directory in broker["log_dirs"]
        for t in directory["topics"]
        if t["name"] == topic
        for p in t["partitions"]
    ]
    if len(found) != 1 or found[0] < 300:
        raise AssertionError(f"log dirs say {found}")
    a.close()


@case
def producers_are_described():
    topic, a = new_topic("kp-producers"), admin()
    send(topic, [{"value": b"v"}], enable_idempotence=True)
    active = a.describe_producers([TopicPartition(topic, 0)])[TopicPartition(topic, 0)]
    equal(len(getattr(active, "active_producers", active)), 1, "producers")
    a.close()


@case
def metadata_creates_the_topic():
    name = unique("kp-auto")
    send(name, [{"value": b"first"}])
    equal([r.value for r in read_all(name, 1)], [b"first"], "values")


@case
def cluster_and_versions():
    a = admin()
    described = a.describe_cluster()
    if not described["cluster_id"] or not described["brokers"]:
        raise AssertionError(f"cluster id or brokers missing: {described}")
    offered = a.api_versions()
    for key, most in ((0, 13), (1, 18), (3, 13)):
        found = offered[key]
        equal((found[1], found[0] >= 0), (most, True), f"versions of key {key}")
    a.close()


if __name__ == "__main__":
    report.main()
