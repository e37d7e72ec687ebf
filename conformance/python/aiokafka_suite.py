"""aiokafka: an asyncio client with its own connection handling and older message versions."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import MessageSizeTooLargeError

import report
from report import CASES, cases_for, equal, payload, unique

HEADERS = [("trace", b"abc"), ("trace", b"second of the same name"), ("empty", b"")]


def case(function):
    """Registers a coroutine as a case with a loop of its own."""
    CASES.append((function.__name__, lambda: asyncio.run(asyncio.wait_for(function(), 60))))
    return function


async def new_topic(prefix, partitions=1):
    name = unique(prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=report.BOOTSTRAP)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, partitions, 1)])
        for _ in range(100):
            found = (await admin.describe_topics([name]))[0]["partitions"]
            if len(found) == partitions and all(p["leader"] >= 0 for p in found):
                return name
            await asyncio.sleep(0.05)
        raise AssertionError("the topic never became usable")
    finally:
        await admin.close()


async def send(topic, records, **extra):
    producer = AIOKafkaProducer(bootstrap_servers=report.BOOTSTRAP, **extra)
    await producer.start()
    try:
        futures = [await producer.send(topic, **record) for record in records]
        return [await future for future in futures]
    finally:
        await producer.stop()


async def consumer(*topics, **extra):
    settings = {"auto_offset_reset": "earliest", "bootstrap_servers": report.BOOTSTRAP} | extra
    c = AIOKafkaConsumer(*topics, **settings)
    await c.start()
    return c


async def receive(c, count, seconds=30):
    got, deadline = [], time.monotonic() + seconds
    while len(got) < count and time.monotonic() < deadline:
        for batch in (await c.getmany(timeout_ms=200, max_records=count - len(got))).values():
            got.extend(batch)
    equal(len(got), count, "records received")
    return got


@cases_for("codec", [(c or "none", c) for c in (None, "gzip", "snappy", "lz4", "zstd")])
def codec(name):
    async def run():
        topic = await new_topic(f"aio-{name}")
        sent = [
            {"key": b"k", "value": b"v", "headers": HEADERS},
            {"key": None, "value": b"no key"},
            {"key": b"tombstone", "value": None},
            {"key": b"big", "value": payload(900 * 1024)},
        ] + [{"value": b"repeated text " * 20} for _ in range(200)]
        await send(topic, sent, compression_type=name, linger_ms=20)
        c = await consumer(topic)
        for record, expected in zip(await receive(c, len(sent)), sent):
            equal((record.key, record.value), (expected.get("key"), expected["value"]), "record")
            equal(list(record.headers), expected.get("headers", []), "headers")
        await c.stop()

    asyncio.run(asyncio.wait_for(run(), 60))


@case
async def idempotent_producer_keeps_order():
    topic = await new_topic("aio-idem")
    sent = await send(topic, [{"value": b"%d" % i} for i in range(2000)], enable_idempotence=True)
    equal([m.offset for m in sent], list(range(2000)), "offsets acknowledged")


@case
async def too_large_record_is_refused():
    topic = await new_topic("aio-large")
    try:
        await send(topic, [{"value": payload(1_500_000)}], max_request_size=4_000_000)
    except MessageSizeTooLargeError:
        return
    raise AssertionError("a record over max.message.bytes was accepted")


@case
async def seek_by_time():
    topic = await new_topic("aio-time")
    start = int(time.time() * 1000) - 3_600_000
    await send(topic, [{"value": b"%d" % i, "timestamp_ms": start + i * 1000} for i in range(60)])
    partition = TopicPartition(topic, 0)
    c = await consumer()
    c.assign([partition])
    found = await c.offsets_for_times({partition: start + 30_001})
    equal(found[partition].offset, 31, "offset between two times")
    c.seek(partition, 31)
    equal([r.offset for r in await receive(c, 29)], list(range(31, 60)), "offsets")
    await c.stop()


@case
async def group_of_two_commits_and_resumes():
    topic, group = await new_topic("aio-two", 4), unique("aio-two-group")
    seen = []

    async def pump(members, finished, what):
        deadline = time.monotonic() + 45
        while not finished():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what} did not come true within 45 s")
            for member in members:
                for batch in (await member.getmany(timeout_ms=50)).values():
                    seen.extend((r.partition, r.offset) for r in batch)

    async def batch():
        await send(topic, [{"value": b"v", "partition": i % 4} for i in range(400)])

    await batch()
    first = await consumer(topic, group_id=group)
    await pump([first], lambda: len(seen) >= 400, "the first member reading everything")
    second = await consumer(topic, group_id=group)
    both = [first, second]
    await pump(both, lambda: [len(c.assignment()) for c in both] == [2, 2], "both members sharing the partitions")
    await batch()
    await pump(both, lambda: len(seen) >= 800, "two members reading everything")
    await second.stop()
    await batch()
    await pump([first], lambda: len(seen) >= 1200, "the member left behind taking over")
    await first.stop()
    equal((len(seen), len(set(seen))), (1200, 1200), "records and distinct records")
    await batch()
    third = await consumer(topic, group_id=group)
    seen.clear()
    await pump([third], lambda: len(seen) >= 400, "a later member resuming")
    equal(min(o for _, o in seen), 300, "first offset after resuming")
    await third.stop()


if __name__ == "__main__":
    report.main()
