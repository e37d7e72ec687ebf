package pagewire;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** All that can be seen of a broker, printed, to be compared with what another shows. */
final class TakeoverLooks {
    private TakeoverLooks() {}

    static void read() throws Exception {
        try (Admin admin = Kafka.admin()) {
            Takeover.say("cluster", admin.describeCluster().clusterId().get());
            var names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            var topics = admin.describeTopics(names).allTopicNames().get();
            List<TopicPartition> all = new ArrayList<>();
            for (String name : names) {
                var topic = topics.get(name);
                int partitions = topic.partitions().size();
                Takeover.say("topic", name, topic.topicId(), partitions, own(admin, name));
                for (int index = 0; index < partitions && !topic.isInternal(); index++) {
                    all.add(new TopicPartition(name, index));
                }
            }
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                var contents = TakeoverContent.of(all, isolation);
                all.forEach(partition -> Takeover.say(partition.topic(), partition.partition(), isolation, contents.get(partition)));
            }
            for (var group : new TreeSet<>(List.of("group-classic", "group-new", "group-txn"))) {
                var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                Map<String, Long> offsets = new TreeMap<>();
                committed.forEach((partition, offset) -> offsets.put(partition.toString(), offset.offset()));
                Takeover.say("group", group, offsets);
            }
        }
    }

    /** A topic's own settings. */
    static Map<String, String> own(Admin admin, String topic) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, String> own = new TreeMap<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                own.put(entry.name(), entry.value());
            }
        }
        return own;
    }

    /** What is there of a topic, and the newest value of each key as readers of committed records see it. */
    static void survivors(String topic, int partitions) {
        for (int index = 0; index < partitions; index++) {
            var partition = new TopicPartition(topic, index);
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                Takeover.say("left", topic, index, isolation, TakeoverContent.of(List.of(partition), isolation).get(partition));
            }
            Takeover.say("counts", topic, index, newest(partition));
        }
    }

    private static Map<String, String> newest(TopicPartition partition) {
        Map<String, String> newest = new TreeMap<>();
        try (var consumer = Kafka.consumer("isolation.level", "read_committed", "enable.auto.commit", false)) {
            consumer.assign(List.of(partition));
            consumer.seekToBeginning(List.of(partition));
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    String key = new String(record.key());
                    if (record.value() == null) {
                        newest.remove(key);
                    } else {
                        newest.put(key, record.offset() + ": " + record.value().length);
                    }
                }
            }
        }
        return newest;
    }
}
