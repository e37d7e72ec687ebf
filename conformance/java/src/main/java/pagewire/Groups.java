package pagewire;

import static pagewire.Suite.equal;
import static pagewire.Suite.refused;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;

/** Membership, commits and the group administration of the Java clients. */
final class Groups {
    private Groups() {}

    static void groupOfTwo(String assignor) throws Exception {
        String topic = Kafka.topic(6);
        String group = unique("java-two");
        List<String> seen = new ArrayList<>();
        Callable<Consumer<byte[], byte[]>> join = () -> {
            var consumer = assignor == null
                ? Kafka.consumer("group.id", group)
                : Kafka.consumer("group.id", group, "partition.assignment.strategy", assignor);
            consumer.subscribe(List.of(topic));
            return consumer;
        };
        List<ProducerRecord<byte[], byte[]>> batch = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            batch.add(new ProducerRecord<>(topic, i % 6, null, Integer.toString(i).getBytes()));
        }
        Kafka.send(batch);
        var one = join.call();
        pump("the first member reading everything", List.of(one), seen, () -> seen.size() >= 600);
        var two = join.call();
        var both = List.of(one, two);
        pump("both members sharing the partitions", both, seen,
            () -> one.assignment().size() == 3 && two.assignment().size() == 3);
        Kafka.send(batch);
        pump("two members reading everything", both, seen, () -> seen.size() >= 1200);
        two.close();
        Kafka.send(batch);
        pump("the member left behind taking over", List.of(one), seen,
            () -> seen.size() >= 1800 && one.assignment().size() == 6);
        one.close();
        equal("records", seen.size(), 1800);
        equal("distinct records", new HashSet<>(seen).size(), 1800);
    }

    private static void pump(String what, List<Consumer<byte[], byte[]>> members, List<String> seen, Callable<Boolean> done) throws Exception {
        until(what, () -> {
            for (var member : members) {
                member.poll(Duration.ofMillis(50)).forEach(r -> seen.add(r.partition() + ":" + r.offset()));
            }
            return done.call();
        });
    }

    static void commitAndResume() throws Exception {
        String topic = Kafka.topic(1);
        String group = unique("java-commit");
        var partition = new TopicPartition(topic, 0);
        Kafka.send(Kafka.numbered(topic, 100));
        try (var first = Kafka.consumer("group.id", group, "enable.auto.commit", false, "max.poll.records", 40)) {
            first.subscribe(List.of(topic));
            Kafka.receive(first, 40);
            first.commitSync(Map.of(partition, new OffsetAndMetadata(40, "forty")));
            equal("committed", first.committed(Set.of(partition)).get(partition).metadata(), "forty");
        }
        try (var second = Kafka.consumer("group.id", group)) {
            second.subscribe(List.of(topic));
            var got = Kafka.receive(second, 60);
            equal("first after resuming", got.get(0).offset(), 40L);
        }
    }

    static void asynchronousCommits() throws Exception {
        String topic = Kafka.topic(1);
        var partition = new TopicPartition(topic, 0);
        Kafka.send(Kafka.numbered(topic, 50));
        var answered = new AtomicInteger();
        try (var consumer = Kafka.consumer("group.id", unique("java-async"), "enable.auto.commit", false)) {
            consumer.subscribe(List.of(topic));
            Kafka.receive(consumer, 50);
            for (long offset = 1; offset <= 50; offset++) {
                consumer.commitAsync(Map.of(partition, new OffsetAndMetadata(offset)), (offsets, error) -> {
                    if (error == null) {
                        answered.incrementAndGet();
                    }
                });
            }
            until("every commit answered", () -> {
                consumer.poll(Duration.ofMillis(20));
                return answered.get() == 50;
            });
            equal("committed", consumer.committed(Set.of(partition)).get(partition).offset(), 50L);
        }
    }

    static void staticMember() throws Exception {
        String topic = Kafka.topic(1);
        String group = unique("java-static");
        try (Admin admin = Kafka.admin()) {
            for (int round = 0; round < 2; round++) {
                Kafka.send(Kafka.numbered(topic, 10));
                try (var consumer = Kafka.consumer("group.id", group, "group.instance.id", "one")) {
                    consumer.subscribe(List.of(topic));
                    Kafka.inOrder(Kafka.receive(consumer, 10));
                }
            }
            var described = admin.describeConsumerGroups(List.of(group)).describedGroups().get(group).get();
            equal("members that stayed", described.members().size(), 1);
            equal("instance", described.members().iterator().next().groupInstanceId().orElse(""), "one");
            var options = new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one")));
            admin.removeMembersFromConsumerGroup(group, options).all().get();
        }
    }

    static void pattern() throws Exception {
        String prefix = Kafka.topic(1);
        String second = prefix + "-more";
        Kafka.send(Kafka.numbered(prefix, 5));
        Kafka.send(Kafka.numbered(second, 5));
        try (var consumer = Kafka.consumer("group.id", unique("java-pattern"))) {
            consumer.subscribe(Pattern.compile(prefix + ".*"));
            Kafka.receive(consumer, 10);
            equal("partitions", consumer.assignment().size(), 2);
        }
    }

    static void admin() throws Exception {
        String topic = Kafka.topic(1);
        String group = unique("java-groups");
        var partition = new TopicPartition(topic, 0);
        Kafka.send(Kafka.numbered(topic, 10));
        try (Admin admin = Kafka.admin(); var consumer = Kafka.consumer("group.id", group, "client.id", "java-groups-client")) {
            consumer.subscribe(List.of(topic));
            Kafka.receive(consumer, 10);
            consumer.commitSync();
            var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal("state", described.groupState(), GroupState.STABLE);
            var member = described.members().iterator().next();
            equal("client", member.clientId(), "java-groups-client");
            equal("assignment", member.assignment().topicPartitions(), Set.of(partition));
            equal("assignor", described.partitionAssignor(), "range");
            var stable = admin.listGroups(new ListGroupsOptions().inGroupStates(Set.of(GroupState.STABLE))).all().get();
            equal("listed as stable", stable.stream().anyMatch(g -> g.groupId().equals(group)), true);
            refused(GroupNotEmptyException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            consumer.close();
            until("an empty group", () -> admin.describeConsumerGroups(List.of(group)).all().get().get(group).groupState() == GroupState.EMPTY);
            var offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            equal("committed", offsets.get(partition).offset(), 10L);
            admin.alterConsumerGroupOffsets(group, Map.of(partition, new OffsetAndMetadata(4))).all().get();
            offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            equal("altered", offsets.get(partition).offset(), 4L);
            admin.deleteConsumerGroupOffsets(group, Set.of(partition)).all().get();
            offsets = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
            equal("offsets left", offsets.size(), 0);
            admin.deleteConsumerGroups(List.of(group)).all().get();
            refused(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
        }
    }

    static void unknown() throws Exception {
        String group = unique("java-nobody");
        try (Admin admin = Kafka.admin()) {
            refused(GroupIdNotFoundException.class, () -> admin.describeConsumerGroups(List.of(group)).all().get());
            refused(GroupIdNotFoundException.class, () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            equal("offsets", admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().size(), 0);
        }
    }
}
