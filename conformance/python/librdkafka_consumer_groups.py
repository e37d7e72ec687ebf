"""Groups of the consumer protocol (KIP-848) with librdkafka: the broker assigns."""

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions, ConsumerGroupType, KafkaException, TopicPartition

from librdkafka_client import admin, conf, done, new_topic, send
from report import case, equal, unique, until


def member(group, topic, **extra):
    made = Consumer(conf(group__id=group, auto__offset__reset="earliest", enable__auto__commit=False, **extra))
    made.subscribe([topic])
    return made


def newer(group, topic, **extra):
    return member(group, topic, group__protocol="consumer", **extra)


def pump(members, seen, finished, what):
    """Polls every member until the condition holds, noting what came."""

    def step():
        for one in members:
            for message in one.consume(500, 0.05):
                if message.error():
                    raise KafkaException(message.error())
                seen.append((message.partition(), message.offset()))
        return finished()

    until(step, 45, what)


def shares(members):
    return sorted(len(one.assignment()) for one in members)


def described(group):
    return admin().describe_consumer_groups([group])[group].result(10)


def batch(topic, partitions, each):
    send(topic, [{"value": b"v", "partition": i % partitions} for i in range(partitions * each)])


def committed(group):
    found = done(admin().list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))[group]
    return {t.partition: t.offset for t in found.topic_partitions}


def hand_over(going, staying, topic, seen, what):
    """Two members that have read 100 records read 100 more; one goes, and the other takes over what it had, and reads the next."""
    batch(topic, 4, 25)
    pump([going, staying], seen, lambda: len(seen) == 200, "both members reading everything")
    for one in [going, staying]:
        one.commit(asynchronous=False)
    going.close()
    batch(topic, 4, 25)
    pump([staying], seen, lambda: len(seen) == 300 and shares([staying]) == [4], what)
    equal(len(set(seen)), 300, "distinct records")


@case
def consumer_group_of_two():
    """A second member comes and goes; each takes what the other one gives back, and the offsets stay."""
    topic, group, seen = new_topic("rd-848", 4), unique("rd-848-group"), []
    batch(topic, 4, 25)
    one = newer(group, topic)
    pump([one], seen, lambda: len(seen) == 100 and shares([one]) == [4], "the first member reading everything")
    one.commit(asynchronous=False)
    two = newer(group, topic)
    both = [one, two]
    pump(both, seen, lambda: shares(both) == [2, 2], "both members sharing the partitions")
    equal(len({(t.topic, t.partition) for c in both for t in c.assignment()}), 4, "different partitions")
    now = described(group)
    equal((now.type, now.state, len(now.members)), (ConsumerGroupType.CONSUMER, ConsumerGroupState.STABLE, 2), "the group")
    hand_over(two, one, topic, seen, "the member left behind taking over")
    one.commit(asynchronous=False)
    one.close()
    equal(described(group).state, ConsumerGroupState.EMPTY, "the group when all have left")
    equal(committed(group), {p: 75 for p in range(4)}, "offsets afterwards")


@case
def consumer_group_static_member():
    """A static member that is away for a moment keeps what it has."""
    topic, group = new_topic("rd-848-static", 4), unique("rd-848-static-group")
    other = newer(group, topic)
    one = newer(group, topic, group__instance__id="one")
    pump([one, other], [], lambda: shares([one, other]) == [2, 2], "both members sharing the partitions")
    before = {t.partition for t in one.assignment()}
    one.close()
    again = newer(group, topic, group__instance__id="one")
    pump([again, other], [], lambda: len(again.assignment()) == 2, "the member that is back")
    equal({t.partition for t in again.assignment()}, before, "its partitions")
    equal(sorted(m.group_instance_id or "" for m in described(group).members), ["", "one"], "members")
    again.close()
    other.close()


@case
def consumer_group_from_a_classic_one():
    """A member of the newer protocol comes to one of the classic protocol, which stays, and goes again."""
    topic, group, seen = new_topic("rd-848-move", 4), unique("rd-848-move-group"), []
    batch(topic, 4, 25)
    classic = member(group, topic, partition__assignment__strategy="cooperative-sticky")
    pump([classic], seen, lambda: len(seen) == 100 and shares([classic]) == [4], "the classic member reading everything")
    equal(described(group).type, ConsumerGroupType.CLASSIC, "type")
    classic.commit(asynchronous=False)
    new = newer(group, topic)
    both = [classic, new]
    pump(both, seen, lambda: shares(both) == [2, 2], "both members sharing the partitions")
    equal(described(group).type, ConsumerGroupType.CONSUMER, "type")
    hand_over(classic, new, topic, seen, "the newer member taking over")
    new.commit(offsets=[TopicPartition(topic, p, 75) for p in range(4)], asynchronous=False)
    new.close()
    equal(described(group).type, ConsumerGroupType.CONSUMER, "type")
    equal(committed(group), {p: 75 for p in range(4)}, "offsets afterwards")
