package pagewire;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/**
 * What the part {@code takeover} does with a broker, Kafka or ours: {@code load} writes something of every kind,
 * {@code read} prints all that can be seen, {@code more} goes on where the clients before had stopped, {@code ride} writes
 * through a change of brokers. Lines that count begin with {@code = }.
 */
final class Takeover {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int RECORDS = 9000;
    private static final int KEYS = 500;
    /** A step that takes longer has failed; on a busy machine one may take long. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private Takeover() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "load" -> load();
            case "read" -> read();
            case "more" -> more();
            case "ride" -> ride(args[1], Integer.parseInt(args[2]));
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Threads of clients that are still closing are of no use any more.
        System.exit(0);
    }

    private static void say(Object... words) {
        var line = new StringBuilder("=");
        for (Object word : words) {
            line.append(' ').append(word);
        }
        System.out.println(line);
    }

    private static void load() throws Exception {
        try (Admin admin = Kafka.admin()) {
            List<NewTopic> topics = new ArrayList<>();
            for (String codec : CODECS) {
                topics.add(topic("codec-" + codec, 2, "segment.bytes", "1048576"));
            }
            topics.add(topic("compacted", 2, "cleanup.policy", "compact", "segment.bytes", "1048576", "segment.ms", "1000",
                    "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "100"));
            topics.add(topic("transactions", 2, "retention.ms", "604800000"));
            topics.add(topic("trimmed", 1, "segment.bytes", "1048576"));
            topics.add(topic("ride", 1));
            topics.add(topic("gone", 2));
            topics.add(topic("empty", 3, "max.message.bytes", "2000000"));
            admin.createTopics(topics).all().get();
            for (NewTopic topic : topics) {
                Kafka.usable(admin, topic.name(), topic.numPartitions());
            }
            for (String codec : CODECS) {
                Kafka.send(values("codec-" + codec, RECORDS), "compression.type", codec, "linger.ms", 20);
            }
            Kafka.send(values("trimmed", RECORDS));
            Kafka.send(values("gone", 10));
            compacted();
            transactions();
            commits();
            var upTo = Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(RECORDS / 3));
            admin.deleteRecords(upTo).all().get();
            admin.deleteTopics(List.of("gone")).all().get();
            // What is read later is what is there now: no compaction begins any more, and those at work have ended.
            set(admin, ConfigResource.Type.TOPIC, "compacted", "min.compaction.lag.ms", "864000000");
            untilStill("compacted", 2);
            set(admin, ConfigResource.Type.BROKER, "", "log.cleaner.threads", "2");
            set(admin, ConfigResource.Type.TOPIC, "empty", "retention.ms", "5000000");
        }
    }

    private static NewTopic topic(String name, int partitions, String... configs) {
        Map<String, String> settings = new TreeMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            settings.put(configs[i], configs[i + 1]);
        }
        return new NewTopic(name, partitions, (short) 1).configs(settings);
    }

    private static void set(Admin admin, ConfigResource.Type type, String name, String key, String value) throws Exception {
        var op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(op))).all().get();
    }

    /** Half of each value does not compress. */
    private static List<ProducerRecord<byte[], byte[]>> values(String topic, int count) {
        var random = new Random(topic.hashCode());
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] value = new byte[300];
            byte[] noise = new byte[150];
            random.nextBytes(noise);
            System.arraycopy(noise, 0, value, 0, noise.length);
            var record = new ProducerRecord<>(topic, ("key " + i % 97).getBytes(), value);
            if (i % 10 == 0) {
                record.headers().add("number", Integer.toString(i).getBytes());
            }
            records.add(record);
        }
        return records;
    }

    /** Rounds over the same keys, some of which end as tombstones; waits until Kafka has cleaned. */
    private static void compacted() throws Exception {
        for (int round = 0; round < 4; round++) {
            List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
            for (int key = 0; key < KEYS; key++) {
                byte[] value = round == 2 && key % 7 == 0 ? null : ("round " + round + " " + "x".repeat(500)).getBytes();
                records.add(new ProducerRecord<>("compacted", ("key " + key).getBytes(), value));
            }
            Kafka.send(records, "compression.type", CODECS.get(round));
            Thread.sleep(1100); // segment.ms: the next round begins a segment
        }
        Suite.until("a compaction", () -> count("compacted", 2) < 3 * KEYS);
    }

    /** Waits until a topic shows the same records a few times, a second apart. */
    private static void untilStill(String topic, int partitions) throws Exception {
        List<Content> before = List.of();
        for (int same = 0; same < 3; ) {
            List<Content> now = new ArrayList<>();
            for (int partition = 0; partition < partitions; partition++) {
                now.add(Content.of(new TopicPartition(topic, partition), "read_uncommitted"));
            }
            same = now.equals(before) ? same + 1 : 0;
            before = now;
            Thread.sleep(1000);
        }
    }

    private static long count(String topic, int partitions) {
        long count = 0;
        for (int partition = 0; partition < partitions; partition++) {
            count += Content.of(new TopicPartition(topic, partition), "read_uncommitted").records;
        }
        return count;
    }

    /** Committed and aborted ones, also such that commit offsets. */
    private static void transactions() throws Exception {
        try (var producer = Kafka.producer("transactional.id", "takeover")) {
            producer.initTransactions();
            for (int i = 0; i < 30; i++) {
                producer.beginTransaction();
                for (int n = 0; n < 20; n++) {
                    producer.send(new ProducerRecord<>("transactions", n % 2, null, (i + "." + n).getBytes()));
                }
                var offset = Map.of(new TopicPartition("transactions", 0), new OffsetAndMetadata(i));
                producer.sendOffsetsToTransaction(offset, new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("group-txn"));
                if (i % 3 == 1) {
                    producer.flush();
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
    }

    private static void commits() {
        consumeAs("group-classic", "codec-gzip", 1000);
        consumeAs("group-new", "codec-zstd", 700, "group.protocol", "consumer");
    }

    /** Reads at least so many as a member of a group, and commits. The first offset of each partition that it got. */
    private static Map<Integer, Long> consumeAs(String group, String topic, int count, Object... config) {
        List<Object> all = new ArrayList<>(List.of(config));
        all.addAll(List.of("group.id", group, "max.poll.records", 100));
        Map<Integer, Long> first = new TreeMap<>();
        try (var consumer = Kafka.consumer(all.toArray())) {
            consumer.subscribe(List.of(topic));
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            for (int got = 0; got < count && System.nanoTime() < deadline; ) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    first.putIfAbsent(record.partition(), record.offset());
                    got++;
                }
            }
            consumer.commitSync();
        }
        if (first.isEmpty()) {
            throw new AssertionError(group + " read nothing of " + topic);
        }
        return first;
    }

    /** All records between the ends of a partition. */
    private record Content(long start, long end, long records, String digest) {
        static Content of(TopicPartition partition, String isolation) {
            try (var consumer = Kafka.consumer("isolation.level", isolation, "enable.auto.commit", false)) {
                consumer.assign(List.of(partition));
                consumer.seekToBeginning(List.of(partition));
                long start = consumer.beginningOffsets(List.of(partition)).get(partition);
                long end = consumer.endOffsets(List.of(partition)).get(partition);
                var digest = MessageDigest.getInstance("SHA-256");
                long records = 0;
                long deadline = System.nanoTime() + PATIENCE.toNanos();
                while (consumer.position(partition) < end) {
                    if (System.nanoTime() > deadline) {
                        throw new IllegalStateException(partition + " stands at " + consumer.position(partition) + " of " + end);
                    }
                    for (var record : consumer.poll(Duration.ofMillis(200))) {
                        records++;
                        digest.update(ByteBuffer.allocate(16).putLong(record.offset()).putLong(record.timestamp()).array());
                        add(digest, record.key());
                        add(digest, record.value());
                        for (var header : record.headers()) {
                            add(digest, header.key().getBytes());
                            add(digest, header.value());
                        }
                    }
                }
                return new Content(start, end, records, HexFormat.of().formatHex(digest.digest()));
            } catch (java.security.NoSuchAlgorithmException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private static void add(MessageDigest digest, byte[] bytes) {
            digest.update(ByteBuffer.allocate(4).putInt(bytes == null ? -1 : bytes.length).array());
            if (bytes != null) {
                digest.update(bytes);
            }
        }
    }

    private static void read() throws Exception {
        try (Admin admin = Kafka.admin()) {
            say("cluster", admin.describeCluster().clusterId().get());
            var names = new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get());
            var topics = admin.describeTopics(names).allTopicNames().get();
            for (String name : names) {
                var topic = topics.get(name);
                int partitions = topic.partitions().size();
                say("topic", name, topic.topicId(), partitions, own(admin, name));
                for (int index = 0; index < partitions && !topic.isInternal(); index++) {
                    for (String isolation : List.of("read_uncommitted", "read_committed")) {
                        say(name, index, isolation, Content.of(new TopicPartition(name, index), isolation));
                    }
                }
            }
            for (var group : new TreeSet<>(List.of("group-classic", "group-new", "group-txn"))) {
                var committed = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
                Map<String, Long> offsets = new TreeMap<>();
                committed.forEach((partition, offset) -> offsets.put(partition.toString(), offset.offset()));
                say("group", group, offsets);
            }
        }
    }

    /** A topic's own settings. */
    private static Map<String, String> own(Admin admin, String topic) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Map<String, String> own = new TreeMap<>();
        for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                own.put(entry.name(), entry.value());
            }
        }
        return own;
    }

    private static void more() throws Exception {
        var partition = new TopicPartition("codec-none", 0);
        try (Admin admin = Kafka.admin()) {
            var before = producers(admin, partition);
            for (String codec : CODECS) {
                Kafka.send(values("codec-" + codec, RECORDS / 3), "compression.type", codec);
            }
            Kafka.send(values("trimmed", RECORDS / 3));
            compactedOnceMore();
            var after = producers(admin, partition);
            if (after.last() <= before.last()) {
                throw new AssertionError("a producer id was given out twice: " + before + " then " + after);
            }
            var committed = admin.listConsumerGroupOffsets("group-classic").partitionsToOffsetAndMetadata().get();
            consumeAs("group-classic", "codec-gzip", 500).forEach((index, first) -> Suite.equal(
                    "where the group goes on", first, committed.get(new TopicPartition("codec-gzip", index)).offset()));
        }
        say("done");
    }

    private static void compactedOnceMore() throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int key = 0; key < KEYS; key += 3) {
            records.add(new ProducerRecord<>("compacted", ("key " + key).getBytes(), "once more".getBytes()));
        }
        Kafka.send(records);
    }

    private static TreeSet<Long> producers(Admin admin, TopicPartition partition) throws Exception {
        var ids = new TreeSet<Long>(List.of(-1L));
        var found = admin.describeProducers(List.of(partition)).partitionResult(partition).get();
        found.activeProducers().forEach(producer -> ids.add(producer.producerId()));
        return ids;
    }

    /** Numbers, one after the other, whatever happens to the broker; then each must be there once, in order. */
    private static void ride(String topic, int count) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = Kafka.producer("delivery.timeout.ms", 120000, "reconnect.backoff.max.ms", 200, "linger.ms", 1)) {
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(Kafka.record(topic, Integer.toString(i))));
                if (i == 100) {
                    sent.get(100).get();
                    say("writing");
                }
                Thread.sleep(1);
            }
            for (var future : sent) {
                future.get();
            }
        }
        Kafka.inOrder(Kafka.readAll(topic, 1, count));
        say("done");
    }
}
