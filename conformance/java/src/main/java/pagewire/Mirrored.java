package pagewire;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * Records, settings and groups to be mirrored: topics {@code NAME-CODEC} of two partitions each, in which record {@code i} lies in
 * partition {@code i % 2}; groups {@code NAME-classic} and {@code NAME-new}, which have read all, and {@code NAME-middle}.
 */
final class Mirrored {
    private static final int PARTITIONS = 2;
    /** A time long gone, so that it is known from that of copying. */
    private static final long BEGAN_MS = 1_600_000_000_000L;
    private static final Map<String, String> SETTINGS =
        Map.of("retention.ms", "-1", "max.message.bytes", "1500000", "segment.bytes", "2097152");

    private Mirrored() {}

    /** Records from this number to that; their topics and groups. */
    static void fill(String name, int from, int to) throws Exception {
        create(name);
        for (String codec : Takeover.CODECS) {
            List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
            for (int i = from; i < to; i++) {
                records.add(record(name + "-" + codec, i));
            }
            TakeoverLoad.send(records, "compression.type", codec, "linger.ms", 20);
        }
        read(name + "-classic", name, to);
        read(name + "-new", name, to, "group.protocol", "consumer");
        commit(name + "-middle", name, (from + to) / 2 / PARTITIONS);
        Takeover.say("filled");
    }

    private static void create(String name) throws Exception {
        try (Admin admin = Kafka.admin()) {
            var there = new HashSet<>(admin.listTopics().names().get());
            for (String topic : topics(name)) {
                if (there.add(topic)) {
                    admin.createTopics(List.of(new NewTopic(topic, PARTITIONS, (short) 1).configs(SETTINGS))).all().get();
                    Kafka.usable(admin, topic, PARTITIONS);
                }
            }
        }
    }

    private static List<String> topics(String name) {
        return Takeover.CODECS.stream().map(codec -> name + "-" + codec).toList();
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, int i) {
        byte[] key = i % 13 == 0 ? null : ("key-" + i % 17).getBytes();
        byte[] value = i % 29 == 0 ? null : (topic + "-" + i + "-" + "x".repeat(i % 50)).getBytes();
        var record = new ProducerRecord<>(topic, i % PARTITIONS, BEGAN_MS + i, key, value);
        if (i % 5 == 0) {
            record.headers().add("number", Integer.toString(i).getBytes()).add("number", null);
        }
        return record;
    }

    /** A group reads on until it has read so many records of each topic, and commits. */
    private static void read(String group, String name, int count, Object... more) throws Exception {
        List<Object> settings = new ArrayList<>(List.of("group.id", group, "enable.auto.commit", false));
        settings.addAll(List.of(more));
        try (var consumer = Kafka.consumer(settings.toArray())) {
            consumer.subscribe(topics(name));
            Suite.until("the group's positions", () -> {
                consumer.poll(Duration.ofMillis(200));
                var assigned = consumer.assignment();
                return assigned.size() == PARTITIONS * Takeover.CODECS.size()
                    && assigned.stream().mapToLong(consumer::position).sum() == (long) count * Takeover.CODECS.size();
            });
            consumer.commitSync();
        }
    }

    private static void commit(String group, String name, long offset) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (String topic : topics(name)) {
            for (int index = 0; index < PARTITIONS; index++) {
                offsets.put(new TopicPartition(topic, index), new OffsetAndMetadata(offset));
            }
        }
        try (var consumer = Kafka.consumer("group.id", group, "enable.auto.commit", false)) {
            consumer.assign(offsets.keySet());
            consumer.commitSync(offsets);
        }
    }

    /** Every committed record of topics that are named so behind the prefix. */
    static void show(String prefix, String name) {
        for (String topic : topics(name)) {
            for (int index = 0; index < PARTITIONS; index++) {
                for (var record : Programs.committed(prefix + topic, index)) {
                    Takeover.say(topic, index, record.timestampType(), record.timestamp(), text(record.key()), text(record.value()),
                        headers(record));
                }
            }
        }
    }

    /** How many records of each partition are behind what a group has committed. */
    static void behind(String group, String prefix, String name) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> committed;
        try (Admin admin = Kafka.admin()) {
            committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        }
        for (String topic : topics(name)) {
            for (int index = 0; index < PARTITIONS; index++) {
                var partition = new TopicPartition(prefix + topic, index);
                var offset = committed.get(partition);
                Takeover.say(offset == null ? "unknown" : Programs.committedFrom(partition, offset.offset()).size());
            }
        }
    }

    private static String text(byte[] bytes) {
        return bytes == null ? "null" : new String(bytes, StandardCharsets.UTF_8);
    }

    private static List<String> headers(ConsumerRecord<byte[], byte[]> record) {
        return StreamSupport.stream(record.headers().spliterator(), false)
            .map(header -> header.key() + "=" + text(header.value())).toList();
    }
}
