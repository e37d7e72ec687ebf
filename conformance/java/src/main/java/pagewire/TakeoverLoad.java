package pagewire;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Something of every kind, written to a broker that will be taken over. */
final class TakeoverLoad {
    /** Compacted, and with transactions. Two partitions. */
    private static final String COMPACTED_TRANSACTIONS = "compacted-transactions";

    private TakeoverLoad() {}

    /** So many records for each codec; of groups of the newer kind only where the broker has them. */
    static void load(int count, boolean newGroups) throws Exception {
        try (Admin admin = Kafka.admin()) {
            List<NewTopic> topics = new ArrayList<>();
            for (String codec : Takeover.CODECS) {
                topics.add(topic("codec-" + codec, 2, "segment.bytes", "1048576"));
            }
            topics.add(topic("compacted", 2, "cleanup.policy", "compact", "segment.bytes", "1048576", "segment.ms", "1000",
                    "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "100"));
            topics.add(topic("transactions", 2, "retention.ms", "604800000"));
            topics.add(topic(COMPACTED_TRANSACTIONS, 2, "cleanup.policy", "compact", "segment.ms", "1000", "min.cleanable.dirty.ratio", "1"));
            topics.add(topic("trimmed", 1, "segment.bytes", "1048576"));
            topics.add(topic("ride", 1));
            topics.add(topic("gone", 2));
            topics.add(topic("empty", 3, "max.message.bytes", "2000000"));
            admin.createTopics(topics).all().get();
            for (NewTopic topic : topics) {
                Kafka.usable(admin, topic.name(), topic.numPartitions());
            }
            for (String codec : Takeover.CODECS) {
                send(values("codec-" + codec, count), "compression.type", codec, "linger.ms", 20);
            }
            send(values("trimmed", count));
            send(values("gone", 10));
            compacted();
            transactions();
            compactedTransactions();
            consumeAs("group-classic", "codec-gzip", count / 9);
            if (newGroups) {
                consumeAs("group-new", "codec-zstd", count / 12, "group.protocol", "consumer");
            }
            var upTo = Map.of(new TopicPartition("trimmed", 0), RecordsToDelete.beforeOffset(count / 3));
            admin.deleteRecords(upTo).all().get();
            admin.deleteTopics(List.of("gone")).all().get();
            // What is read later is what is there now: no compaction begins any more, and those at work have ended.
            set(admin, ConfigResource.Type.TOPIC, "compacted", "min.compaction.lag.ms", "864000000");
            untilStill("compacted", 2);
            // Nor does a segment end by itself while somebody looks where the last one begins.
            set(admin, ConfigResource.Type.TOPIC, COMPACTED_TRANSACTIONS, "segment.ms", "864000000");
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

    static void set(Admin admin, ConfigResource.Type type, String name, String key, String value) throws Exception {
        var op = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(op))).all().get();
    }

    /**
     * Kafka names a leader before it takes records. Of two batches in flight the first may be refused then and the second taken,
     * and the first comes out of order for ever after: so one at a time.
     */
    static void send(List<ProducerRecord<byte[], byte[]>> records, Object... config) throws Exception {
        List<Object> all = new ArrayList<>(List.of(config));
        all.addAll(List.of("max.in.flight.requests.per.connection", 1));
        Kafka.send(records, all.toArray());
    }

    /** Half of each value does not compress. */
    static List<ProducerRecord<byte[], byte[]>> values(String topic, int count) {
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
        long now = System.currentTimeMillis();
        for (int round = 0; round < 4; round++) {
            long time = now - 60_000 + round * 10_000; // by segment.ms the next round begins a segment
            List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
            for (int key = 0; key < Takeover.KEYS; key++) {
                byte[] value = round == 2 && key % 7 == 0 ? null : ("round " + round + " " + "x".repeat(500)).getBytes();
                records.add(new ProducerRecord<>("compacted", null, time, ("key " + key).getBytes(), value));
            }
            send(records, "compression.type", Takeover.CODECS.get(round));
        }
        Suite.until("a compaction", () -> {
            return contents("compacted", 2, "read_uncommitted").values().stream().mapToLong(TakeoverContent::records).sum() < 3 * Takeover.KEYS;
        });
    }

    /** Waits until a topic shows the same records a few times in a row, longer than the cleaner rests in between. */
    private static void untilStill(String topic, int partitions) throws Exception {
        Map<TopicPartition, TakeoverContent> before = Map.of();
        for (int same = 0; same < 3; ) {
            var now = contents(topic, partitions, "read_uncommitted");
            same = now.equals(before) ? same + 1 : 0;
            before = now;
            Thread.sleep(300);
        }
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

    /**
     * Two producers whose transactions overlap, over the same keys, some of them deleted; a third of the transactions is aborted.
     * Records are ahead of the clock that markers have, each round by more than {@code segment.ms}, and so begin segments.
     */
    private static void compactedTransactions() throws Exception {
        try (var one = Kafka.producer("transactional.id", "compacted one", "compression.type", "lz4");
                var other = Kafka.producer("transactional.id", "compacted other")) {
            one.initTransactions();
            other.initTransactions();
            long begun = System.currentTimeMillis() + 60_000;
            for (int round = 0; round < 8; round++) {
                one.beginTransaction();
                other.beginTransaction();
                for (int n = 0; n < 60; n++) {
                    var producer = n % 4 == 0 ? other : one;
                    byte[] value = (n + round) % 9 == 0 ? null : ("round " + round + " " + "y".repeat(n)).getBytes();
                    byte[] key = ("key " + (n + 7 * round) % 90).getBytes();
                    producer.send(new ProducerRecord<>(COMPACTED_TRANSACTIONS, n % 2, begun + 2000 * round, key, value));
                    if (n % 20 == 19) {
                        one.flush();
                        other.flush();
                    }
                }
                end(other, round % 3 != 0);
                end(one, round % 3 != 1);
            }
        }
    }

    private static void end(org.apache.kafka.clients.producer.Producer<?, ?> producer, boolean commit) {
        producer.flush();
        if (commit) {
            producer.commitTransaction();
        } else {
            producer.abortTransaction();
        }
    }

    /** Reads at least so many as a member of a group, and commits. The first offset of each partition that it got. */
    static Map<Integer, Long> consumeAs(String group, String topic, int count, Object... config) {
        List<Object> all = new ArrayList<>(List.of(config));
        all.addAll(List.of("group.id", group, "max.poll.records", 100));
        Map<Integer, Long> first = new TreeMap<>();
        try (var consumer = Kafka.consumer(all.toArray())) {
            consumer.subscribe(List.of(topic));
            long deadline = System.nanoTime() + Takeover.PATIENCE.toNanos();
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

    private static Map<TopicPartition, TakeoverContent> contents(String topic, int partitions, String isolation) {
        List<TopicPartition> all = new ArrayList<>();
        for (int index = 0; index < partitions; index++) {
            all.add(new TopicPartition(topic, index));
        }
        return TakeoverContent.of(all, isolation);
    }
}
