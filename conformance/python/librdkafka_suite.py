"""librdkafka, as most of the world's non-Java clients use it, through confluent-kafka for Python."""

import time

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    OFFSET_END,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

import librdkafka_consumer_groups  # noqa: F401 (registers its cases)
import report
from librdkafka_client import admin, conf, done, new_topic, read_all, receive, refused, send, usable
from report import case, cases_for, equal, payload, unique, until

HEADERS = [("trace", b"abc"), ("trace", b"second of the same name"), ("empty", b""), ("null", None)]


@cases_for("codec", [(c, c) for c in ("none", "gzip", "snappy", "lz4", "zstd")])
def codec(name):
    topic = new_topic(f"rd-{name}")
    sent = [
        {"key": b"k1", "value": b"plain", "headers": HEADERS},
        {"key": None, "value": b"no key"},
        {"key": b"tombstone", "value": None},
        {"key": b"", "value": b""},
        {"key": "ключ".encode(), "value": "välue".encode() * 50},
        {"key": b"big", "value": payload(900 * 1024)},
    ] + [{"key": b"many-%d" % i, "value": b"repeated text " * 20} for i in range(500)]
    send(topic, sent, compression__type=name)
    got = read_all(topic, len(sent))
    for i, (message, record) in enumerate(zip(got, sent)):
        equal(message.offset(), i, "offset")
        equal(message.key(), record["key"], f"key of {i}")
        equal(message.value(), record["value"], f"value of {i}")
        equal(message.headers(), record.get("headers"), f"headers of {i}")


@cases_for("acks", [("0", "0"), ("1", "1"), ("all", "all")])
def acks(value):
    topic = new_topic("rd-acks")
    send(topic, [{"value": b"%d" % i} for i in range(200)], acks=value)
    equal([m.value() for m in read_all(topic, 200)], [b"%d" % i for i in range(200)], "values")


@case
def idempotent_producer_keeps_order():
    topic = new_topic("rd-idem")
    delivered = send(topic, [{"value": b"%d" % i} for i in range(5000)], enable__idempotence=True, linger__ms=1)
    equal([o for _, o in delivered], list(range(5000)), "offsets acknowledged")
    equal([int(m.value()) for m in read_all(topic, 5000)], list(range(5000)), "values")


def transaction(producer, topic, values):
    """Sends values into both partitions of a topic, in a transaction that is still to be ended."""
    producer.begin_transaction()
    for value in values:
        for partition in range(2):
            producer.produce(topic, value, partition=partition)
    equal(producer.flush(30), 0, "messages that never left")


@case
def transactions_are_read_whole_or_not_at_all():
    topic = new_topic("rd-txn", 2)
    producer = Producer(conf(transactional__id=unique("rd-txn")))
    producer.init_transactions(30)
    for number in range(6):
        transaction(producer, topic, [b"%d-%d" % (number, i) for i in range(20)])
        if number % 2:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)
    kept = [b"%d-%d" % (number, i) for number in (0, 2, 4) for i in range(20)]
    got = read_all(topic, 2 * len(kept), partitions=2, isolation__level="read_committed")
    for partition in range(2):
        equal([m.value() for m in got if m.partition() == partition], kept, f"values in partition {partition}")
    everything = read_all(topic, 240, partitions=2, isolation__level="read_uncommitted")
    equal(len({m.value() for m in everything}), 120, "values that were written")


@case
def a_producer_that_was_replaced_commits_nothing():
    topic, name = new_topic("rd-fence", 2), unique("rd-fence")
    first = Producer(conf(transactional__id=name))
    first.init_transactions(30)
    transaction(first, topic, [b"lost"])
    second = Producer(conf(transactional__id=name))
    second.init_transactions(30)
    transaction(second, topic, [b"kept"])
    try:
        first.commit_transaction(30)
        raise AssertionError("the first one has committed")
    except KafkaException as error:
        equal(error.args[0].code(), KafkaError._FENCED, "error")
    second.commit_transaction(30)
    got = read_all(topic, 2, partitions=2, isolation__level="read_committed")
    equal([m.value() for m in got], [b"kept"] * 2, "values")


@case
def offsets_are_committed_with_what_was_made_of_them():
    source, target, group = new_topic("rd-from"), new_topic("rd-to", 2), unique("rd-eos")
    send(source, [{"value": b"%d" % i} for i in range(50)])
    producer = Producer(conf(transactional__id=unique("rd-eos")))
    producer.init_transactions(30)
    c = Consumer(conf(group__id=group, auto__offset__reset="earliest", enable__auto__commit=False))
    c.subscribe([source])
    for end in (producer.abort_transaction, producer.commit_transaction):
        values = [m.value() for m in receive(c, 50)]
        transaction(producer, target, values)
        producer.send_offsets_to_transaction(c.position(c.assignment()), c.consumer_group_metadata(), 30)
        end(30)
        committed = c.committed([TopicPartition(source, 0)], 30)[0].offset
        equal(committed, 50 if end == producer.commit_transaction else -1001, "committed offset")
        c.seek(TopicPartition(source, 0, 0))
    c.close()
    got = read_all(target, 100, partitions=2, isolation__level="read_committed")
    equal(sorted(int(m.value()) for m in got), sorted(2 * list(range(50))), "values")


@case
def keys_choose_partitions():
    topic = new_topic("rd-keys", 4)
    send(topic, [{"key": b"key-%d" % (i % 20), "value": b"%d" % i} for i in range(400)])
    homes = {}
    for message in read_all(topic, 400, partitions=4):
        homes.setdefault(message.key(), set()).add(message.partition())
    equal(len(homes), 20, "keys")
    equal({len(p) for p in homes.values()}, {1}, "partitions per key")


@case
def group_of_two_reads_every_record_once():
    topic, group = new_topic("rd-two", 6), unique("rd-group")
    seen = []

    def consumer():
        c = Consumer(conf() | {"group.id": group, "auto.offset.reset": "earliest"})
        c.subscribe([topic])
        return c

    def pump(consumers, finished, what):
        def step():
            for c in consumers:
                for message in c.consume(500, 0.05):
                    if message.error():
                        raise KafkaException(message.error())
                    seen.append((message.partition(), message.offset()))
            return finished()

        until(step, 45, what)

    def batch(n):
        send(topic, [{"key": b"%d" % i, "value": b"v", "partition": i % 6} for i in range(n)])

    batch(600)
    first = consumer()
    pump([first], lambda: len(seen) >= 600, "the first member reading everything")
    second = consumer()
    both = [first, second]
    pump(both, lambda: sorted(len(c.assignment()) for c in both) == [3, 3], "both members sharing the partitions")
    batch(600)
    pump(both, lambda: len(seen) >= 1200, "two members reading everything")
    second.close()
    batch(600)
    pump([first], lambda: len(seen) >= 1800 and len(first.assignment()) == 6, "the member left behind taking over")
    first.close()
    equal(len(seen), 1800, "records delivered")
    equal(len(set(seen)), 1800, "distinct records")


@case
def cooperative_group_of_two():
    topic, group = new_topic("rd-coop", 4), unique("rd-coop-group")
    seen = []

    def consumer():
        strategy = {"partition.assignment.strategy": "cooperative-sticky"}
        c = Consumer(conf() | strategy | {"group.id": group, "auto.offset.reset": "earliest"})
        c.subscribe([topic])
        return c

    members = [consumer(), consumer()]

    def step():
        for c in members:
            seen.extend((m.partition(), m.offset()) for m in c.consume(500, 0.05) if not m.error())
        return len(seen) >= 400 and sorted(len(c.assignment()) for c in members) == [2, 2]

    send(topic, [{"value": b"v", "partition": i % 4} for i in range(400)])
    until(step, 45, "two cooperative members sharing the work")
    for c in members:
        c.close()
    equal(sorted(seen), sorted((p, o) for p in range(4) for o in range(100)), "records")


@case
def commit_and_resume():
    topic, group = new_topic("rd-commit"), unique("rd-commit-group")
    send(topic, [{"value": b"%d" % i} for i in range(100)])
    settings = conf() | {"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    first = Consumer(settings)
    first.subscribe([topic])
    receive(first, 40)
    result = first.commit(offsets=[TopicPartition(topic, 0, 40, metadata="forty")], asynchronous=False)
    equal(result[0].error, None, "commit")
    committed = first.committed([TopicPartition(topic, 0)], 10)[0]
    equal((committed.offset, committed.metadata), (40, "forty"), "committed")
    first.close()
    second = Consumer(settings)
    second.subscribe([topic])
    equal([m.offset() for m in receive(second, 60)], list(range(40, 100)), "offsets after resuming")
    second.close()


@case
def static_member_returns_without_rebalance():
    topic, group = new_topic("rd-static", 2), unique("rd-static-group")
    send(topic, [{"value": b"v", "partition": i % 2} for i in range(20)])
    settings = conf() | {"group.id": group, "group.instance.id": "one", "auto.offset.reset": "earliest"}
    first = Consumer(settings)
    first.subscribe([topic])
    receive(first, 20)
    first.close()
    send(topic, [{"value": b"w", "partition": i % 2} for i in range(20)])
    again = Consumer(settings)
    again.subscribe([topic])
    equal({m.value() for m in receive(again, 20)}, {b"w"}, "only what was not yet read")
    members = admin().describe_consumer_groups([group])[group].result(10).members
    equal([m.group_instance_id for m in members], ["one"], "members")
    again.close()


@case
def seek_by_time():
    topic = new_topic("rd-time")
    start = int(time.time() * 1000) - 3_600_000
    send(topic, [{"value": b"%d" % i, "timestamp": start + i * 1000} for i in range(60)])
    consumer = Consumer(conf() | {"group.id": unique("rd-time-group")})
    ask = lambda t: consumer.offsets_for_times([TopicPartition(topic, 0, t)], 10)[0].offset
    equal(ask(start), 0, "offset at the first time")
    equal(ask(start + 30_000), 30, "offset at an exact time")
    equal(ask(start + 30_001), 31, "offset between two times")
    equal(ask(start + 3_000_000), OFFSET_END, "offset after the last time")
    equal(consumer.get_watermark_offsets(TopicPartition(topic, 0), 10), (0, 60), "watermarks")
    consumer.assign([TopicPartition(topic, 0, 45)])
    got = receive(consumer, 15)
    equal([m.offset() for m in got], list(range(45, 60)), "offsets")
    equal(got[0].timestamp()[1], start + 45_000, "timestamp")
    consumer.seek(TopicPartition(topic, 0, 10))
    equal(receive(consumer, 5)[0].offset(), 10, "offset after seeking back")
    consumer.close()


@case
def offset_out_of_range_resets():
    topic = new_topic("rd-range")
    send(topic, [{"value": b"%d" % i} for i in range(10)])
    consumer = Consumer(conf() | {"group.id": unique("rd-range-group"), "auto.offset.reset": "error"})
    consumer.assign([TopicPartition(topic, 0, 5000)])
    failure = until(lambda: (m := consumer.poll(0.2)) and m.error(), 20, "an error for an offset past the end")
    equal(failure.code(), KafkaError._AUTO_OFFSET_RESET, "error")
    consumer.close()


@case
def log_append_time_topic():
    topic = new_topic("rd-lat", **{"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    send(topic, [{"value": b"v%d" % i, "timestamp": 1_000_000} for i in range(10)], compression__type="lz4")
    for message in read_all(topic, 10):
        kind, at = message.timestamp()
        equal(kind, 2, "timestamp type")
        if not before - 5000 <= at <= before + 60_000:
            raise AssertionError(f"append time {at} is not near {before}")


@case
def topic_recompresses():
    topic = new_topic("rd-recompress", **{"compression.type": "zstd"})
    values = [b"text that repeats " * 30 + b"%d" % i for i in range(300)]
    send(topic, [{"value": v} for v in values], compression__type="gzip")
    equal([m.value() for m in read_all(topic, 300)], values, "values")


@case
def too_large_record_is_refused():
    topic = new_topic("rd-large")
    try:
        send(topic, [{"value": payload(1_500_000)}], message__max__bytes=4_000_000)
    except KafkaException as error:
        equal(error.args[0].name(), "MSG_SIZE_TOO_LARGE", "error")
    else:
        raise AssertionError("a record over max.message.bytes was accepted")
    send(topic, [{"value": b"small"}])
    equal([m.value() for m in read_all(topic, 1)], [b"small"], "what is left")


@case
def max_message_bytes_of_the_topic_acts():
    topic = new_topic("rd-max", **{"max.message.bytes": "3000000"})
    send(topic, [{"value": payload(2_500_000)}], message__max__bytes=4_000_000)
    equal(len(read_all(topic, 1, fetch__message__max__bytes=1000)[0].value()), 2_500_000, "size")


@case
def create_describe_and_delete_topics():
    a, name = admin(), unique("rd-topic")
    done(a.create_topics([NewTopic(name, 3, 1)]))
    until(lambda: usable(name) == 3, 15, "three partitions")
    refused(a.create_topics([NewTopic(name, 3, 1)]), "TOPIC_ALREADY_EXISTS")
    described = a.describe_topics(TopicCollection([name]))[name].result(10)
    equal([len(p.replicas) for p in described.partitions], [1, 1, 1], "replicas")
    first_id = str(described.topic_id)
    done(a.delete_topics([name]))
    until(lambda: usable(name) == 0, 15, "the topic gone")
    refused(a.delete_topics([name]), "UNKNOWN_TOPIC_OR_PART")
    done(a.create_topics([NewTopic(name, 1, 1)]))
    until(lambda: usable(name) == 1, 15, "the topic again")
    again = a.describe_topics(TopicCollection([name]))[name].result(10)
    if str(again.topic_id) == first_id:
        raise AssertionError("a topic created again kept its id")


@case
def refused_topics():
    a, name = admin(), unique("rd-refused")
    refused(a.create_topics([NewTopic(name, 0, 1)]), "INVALID_PARTITIONS")
    refused(a.create_topics([NewTopic(name, 1, 9)]), "INVALID_REPLICATION_FACTOR")
    refused(a.create_topics([NewTopic("no spaces allowed", 1, 1)]), "TOPIC_EXCEPTION")
    refused(a.create_topics([NewTopic(name, 1, 1, config={"nosuch": "1"})]), "INVALID_CONFIG")
    refused(a.create_topics([NewTopic(name, 1, 1, config={"retention.ms": "soon"})]), "INVALID_CONFIG")
    done(a.create_topics([NewTopic(name, 1, 1)], validate_only=True))
    if name in a.list_topics(timeout=10).topics:
        raise AssertionError("validate_only created the topic")


@case
def create_topic_with_broker_defaults():
    name = unique("rd-defaults")
    done(admin().create_topics([NewTopic(name, -1, -1)]))
    until(lambda: usable(name) >= 1, 15, "the new topic's partitions")


@case
def add_partitions():
    topic = new_topic("rd-grow", 2)
    done(admin().create_partitions([NewPartitions(topic, 5)]))
    until(lambda: len(admin().list_topics(topic, timeout=10).topics[topic].partitions) == 5, 15, "five partitions")
    refused(admin().create_partitions([NewPartitions(topic, 3)]), "INVALID_PARTITIONS")
    send(topic, [{"value": b"v", "partition": 4}])
    equal([m.partition() for m in read_all(topic, 1, partitions=5)], [4], "partition")


@case
def configs_describe_and_alter():
    topic = new_topic("rd-configs", **{"retention.ms": "3600000"})
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    described = lambda: done(admin().describe_configs([resource]))[resource]
    entries = described()
    equal((entries["retention.ms"].value, entries["retention.ms"].source), ("3600000", 1), "a set value and its source")
    equal((entries["segment.bytes"].value, entries["segment.bytes"].is_default), ("1073741824", True), "a default")
    operations = [
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
        ConfigEntry("retention.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ConfigEntry("max.message.bytes", "2000000", incremental_operation=AlterConfigOpType.SET),
    ]
    changed = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=operations)
    done(admin().incremental_alter_configs([changed]))
    until(lambda: described()["max.message.bytes"].value == "2000000", 10, "the altered value")
    entries = described()
    equal(entries["retention.ms"].value, "604800000", "a value taken back")
    equal(entries["cleanup.policy"].value, "delete,compact", "an appended list")
    bad = [ConfigEntry("segment.bytes", "12", incremental_operation=AlterConfigOpType.SET)]
    wrong = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=bad)
    refused(admin().incremental_alter_configs([wrong]), "INVALID_CONFIG")
    unknown = ConfigResource(ConfigResource.Type.TOPIC, unique("rd-no-such-topic"))
    refused(admin().describe_configs([unknown]), "UNKNOWN_TOPIC_OR_PART")


@case
def broker_configs_describe():
    node = next(iter(admin().list_topics(timeout=10).brokers))
    resource = ConfigResource(ConfigResource.Type.BROKER, str(node))
    entries = done(admin().describe_configs([resource]))[resource]
    for name in ("log.retention.ms", "message.max.bytes", "num.partitions", "log.segment.bytes"):
        if name not in entries:
            raise AssertionError(f"{name} is not described")


@case
def groups_list_describe_and_delete():
    topic, group = new_topic("rd-groups"), unique("rd-groups-group")
    send(topic, [{"value": b"%d" % i} for i in range(10)])
    consumer = Consumer(conf() | {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    receive(consumer, 10)
    consumer.commit(asynchronous=False)
    a = admin()
    stable = a.describe_consumer_groups([group])[group].result(10)
    equal(stable.state, ConsumerGroupState.STABLE, "state")
    equal(len(stable.members), 1, "members")
    equal([(t.topic, t.partition) for t in stable.members[0].assignment.topic_partitions], [(topic, 0)], "assignment")
    listed = a.list_consumer_groups(states={ConsumerGroupState.STABLE}).result(10)
    if group not in [g.group_id for g in listed.valid]:
        raise AssertionError("the group is not listed as stable")
    refused(a.delete_consumer_groups([group]), "NON_EMPTY_GROUP")
    consumer.close()
    until(lambda: a.describe_consumer_groups([group])[group].result(10).state == ConsumerGroupState.EMPTY, 20, "an empty group")
    offsets = done(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    equal([(t.partition, t.offset) for t in offsets.topic_partitions], [(0, 10)], "offsets")
    changed = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 3)])
    done(a.alter_consumer_group_offsets([changed]))
    offsets = done(a.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    equal([t.offset for t in offsets.topic_partitions], [3], "altered offsets")
    done(a.delete_consumer_groups([group]))
    refused(a.delete_consumer_groups([group]), "GROUP_ID_NOT_FOUND")


@case
def list_offsets_by_every_spec():
    topic = new_topic("rd-offsets")
    start = int(time.time() * 1000) - 60_000
    times = [start, start + 5000, start + 9000, start + 2000]
    for at in times:
        send(topic, [{"value": b"v", "timestamp": at}])
    partition = TopicPartition(topic, 0)

    def ask(spec):
        info = admin().list_offsets({partition: spec})[partition].result(10)
        return info.offset, info.timestamp

    equal(ask(OffsetSpec.earliest())[0], 0, "earliest")
    equal(ask(OffsetSpec.latest())[0], 4, "latest")
    equal(ask(OffsetSpec.max_timestamp()), (2, start + 9000), "largest timestamp")
    equal(ask(OffsetSpec.for_timestamp(start + 1)), (1, start + 5000), "first at or after a time")
    equal(ask(OffsetSpec.for_timestamp(start + 60_000_000))[0], -1, "after the last")


@case
def delete_records_moves_the_start():
    topic = new_topic("rd-delete")
    send(topic, [{"value": b"%d" % i} for i in range(100)])
    partition = TopicPartition(topic, 0, 37)
    equal(done(admin().delete_records([partition]))[partition].low_watermark, 37, "low watermark")
    equal([int(m.value()) for m in read_all(topic, 63)], list(range(37, 100)), "what is left")
    refused(admin().delete_records([TopicPartition(topic, 0, 1000)]), "OFFSET_OUT_OF_RANGE")


@case
def producing_creates_the_topic():
    name = unique("rd-auto")
    send(name, [{"value": b"first"}])
    equal([m.value() for m in read_all(name, 1)], [b"first"], "values")


@case
def unknown_topic_is_an_error_for_a_consumer():
    consumer = Consumer(conf() | {"group.id": unique("rd-unknown-group")})
    name = unique("rd-unknown")
    consumer.subscribe([name])
    failure = until(lambda: (m := consumer.poll(0.2)) and m.error(), 30, "an error for an unknown topic")
    equal(failure.code(), KafkaError.UNKNOWN_TOPIC_OR_PART, "error")
    consumer.close()
    if name in admin().list_topics(timeout=10).topics:
        raise AssertionError("a consumer that does not ask for it created the topic")


@case
def cluster_is_described():
    cluster = admin().describe_cluster().result(10)
    if not cluster.cluster_id or cluster.controller is None or not cluster.nodes:
        raise AssertionError("cluster id, controller or nodes are missing")
    equal(admin().list_topics(timeout=10).cluster_id, cluster.cluster_id, "cluster id of the metadata")


if __name__ == "__main__":
    report.main()
