package pagewire;

import static pagewire.Suite.equal;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;

/** Groups of the consumer protocol (KIP-848): the broker assigns. */
final class ConsumerGroups {
    private ConsumerGroups() {}

    private static Consumer<byte[], byte[]> member(String group, Object... pairs) {
        Object[] all = new Object[pairs.length + 4];
        all[0] = "group.id";
        all[1] = group;
        all[2] = "group.protocol";
        all[3] = "consumer";
        System.arraycopy(pairs, 0, all, 4, pairs.length);
        return Kafka.consumer(all);
    }

    @SafeVarargs
    private static void poll(Consumer<byte[], byte[]>... members) {
        for (var member : members) {
            member.poll(Duration.ofMillis(50));
        }
    }

    /** A second member comes and goes; each takes what the other one gives back. */
    static void sharing(String assignor) throws Exception {
        String topic = Kafka.topic(6);
        String group = unique("java-consumer-" + assignor);
        try (Admin admin = Kafka.admin(); var one = member(group, "group.remote.assignor", assignor)) {
            one.subscribe(List.of(topic));
            until("all partitions", () -> {
                poll(one);
                return one.assignment().size() == 6;
            });
            try (var two = member(group, "group.remote.assignor", assignor)) {
                two.subscribe(List.of(topic));
                until("both share", () -> {
                    poll(one, two);
                    return one.assignment().size() == 3 && two.assignment().size() == 3;
                });
                var together = new HashSet<>(one.assignment());
                together.addAll(two.assignment());
                equal("different partitions", together.size(), 6);
                one.commitSync(Map.of(one.assignment().iterator().next(), new OffsetAndMetadata(0)));
                until("at rest", () -> {
                    poll(one, two);
                    var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                    return described.groupState() == GroupState.STABLE && described.members().size() == 2;
                });
                var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                equal("type", described.type(), GroupType.CONSUMER);
                equal("assignor", described.partitionAssignor(), assignor);
            }
            until("all partitions again", () -> {
                poll(one);
                return one.assignment().size() == 6;
            });
        }
    }

    /** A static member that is away for a moment keeps what it has. */
    static void staticMember() throws Exception {
        String topic = Kafka.topic(4);
        String group = unique("java-consumer-static");
        try (var other = member(group)) {
            other.subscribe(List.of(topic));
            Set<TopicPartition> before;
            try (var one = member(group, "group.instance.id", "one")) {
                one.subscribe(List.of(topic));
                until("both share", () -> {
                    poll(one, other);
                    return one.assignment().size() == 2 && other.assignment().size() == 2;
                });
                before = new HashSet<>(one.assignment());
            }
            try (var again = member(group, "group.instance.id", "one")) {
                again.subscribe(List.of(topic));
                until("back", () -> {
                    poll(again, other);
                    return again.assignment().size() == 2;
                });
                equal("the same partitions", new HashSet<>(again.assignment()), before);
            }
        }
    }

    /** The broker finds the topics of an expression, and those that come later. */
    static void pattern() throws Exception {
        String prefix = Kafka.topic(1);
        try (var consumer = member(unique("java-consumer-pattern"))) {
            consumer.subscribe(new SubscriptionPattern(prefix + ".*"));
            until("the topic that is there", () -> {
                poll(consumer);
                return consumer.assignment().size() == 1;
            });
            Kafka.send(Kafka.numbered(prefix + "-more", 5));
            until("the topic that came", () -> {
                poll(consumer);
                return consumer.assignment().size() == 2;
            });
        }
    }

    /** A group of the classic protocol becomes one of the consumer protocol, and classic again, and nobody is thrown out. */
    static void changingSides() throws Exception {
        String topic = Kafka.topic(4);
        String group = unique("java-consumer-sides");
        try (Admin admin = Kafka.admin(); var classic = Kafka.consumer("group.id", group)) {
            classic.subscribe(List.of(topic));
            until("all partitions", () -> {
                poll(classic);
                return classic.assignment().size() == 4;
            });
            classic.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(0, "kept")));
            try (var newer = member(group)) {
                newer.subscribe(List.of(topic));
                until("both share", () -> {
                    poll(classic, newer);
                    return classic.assignment().size() == 2 && newer.assignment().size() == 2;
                });
                equal("type", typeOf(admin, group), GroupType.CONSUMER);
            }
            until("all partitions again", () -> {
                poll(classic);
                return classic.assignment().size() == 4;
            });
            equal("type", typeOf(admin, group), GroupType.CLASSIC);
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            equal("the offset is there", offsets.containsKey(new TopicPartition(topic, 0)), true);
        }
    }

    private static GroupType typeOf(Admin admin, String group) throws Exception {
        return admin.describeConsumerGroups(List.of(group)).all().get().get(group).type();
    }
}
