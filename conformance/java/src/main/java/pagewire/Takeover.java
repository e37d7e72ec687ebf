package pagewire;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
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
import org.apache.kafka.common.utils.Exit;

/**
 * What the part {@code takeover} does with a broker, Kafka or ours: {@code load} writes something of every kind,
 * {@code read} prints all that can be seen, {@code more} goes on where the clients before had stopped, {@code survivors} prints
 * what is left of a topic and what counts of it, {@code set} changes a setting of it, {@code trim} deletes records, {@code ride} writes through a change of
 * brokers, {@code leave-open} ends within a transaction, {@code passes} reads committed records to the log's end, {@code again}
 * goes on as the producer of that transaction. Lines that count begin with {@code = }.
 */
final class Takeover {
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final int KEYS = 500;
    /** Compacted, and with transactions. Two partitions. */
    private static final String COMPACTED_TRANSACTIONS = "compacted-transactions";
    /** A transactional id, and what its records are that nobody commits. */
    private static final String LEFT_OPEN = "left open";
    /** A step that takes longer has failed; on a busy machine one may take long. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private Takeover() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "load" -> load(Integer.parseInt(args[1]), Arrays.asList(args).contains("new-groups"));
            case "read" -> read();
            case "more" -> more(Integer.parseInt(args[1]));
            case "survivors" -> survivors(args[1], Integer.parseInt(args[2]));
            case "trim" -> trim(args[1], Long.parseLong(args[2]));
            case "set" -> setTopic(args[1], args[2], args[3]);
            case "ride" -> ride(args[1], Integer.parseInt(args[2]));
            case "leave-open" -> leaveOpen();
            case "passes" -> passes();
            case "again" -> again();
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Threads of clients that are still closing are of no use any more.
        Exit.exit(0);
    }

    private static void say(Object... words) {
        var line = new StringBuilder("=");
        for (Object word : words) {
            line.append(' ').append(word);
        }
        System.out.println(line);
    }

    /** So many records for each codec; of groups of the newer kind only where the broker has them. */
    private static void load(int count, boolean newGroups) throws Exception {
        try (Admin admin = Kafka.admin()) {
            List<NewTopic> topics = new ArrayList<>();
            for (String codec : CODECS) {
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
            for (String codec : CODECS) {
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

    /**
     * Kafka names a leader before it takes records. Of two batches in flight the first may be refused then and the second taken,
     * and the first comes out of order for ever after: so one at a time.
     */
    private static void send(List<ProducerRecord<byte[], byte[]>> records, Object... config) throws Exception {
        List<Object> all = new ArrayList<>(List.of(config));
        all.addAll(List.of("max.in.flight.requests.per.connection", 1));
        Kafka.send(records, all.toArray());
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
        long now = System.currentTimeMillis();
        for (int round = 0; round < 4; round++) {
            long time = now - 60_000 + round * 10_000; // by segment.ms the next round begins a segment
            List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
            for (int key = 0; key < KEYS; key++) {
                byte[] value = round == 2 && key % 7 == 0 ? null : ("round " + round + " " + "x".repeat(500)).getBytes();
                records.add(new ProducerRecord<>("compacted", null, time, ("key " + key).getBytes(), value));
            }
            send(records, "compression.type", CODECS.get(round));
        }
        Suite.until("a compaction", () -> {
            return contents("compacted", 2, "read_uncommitted").values().stream().mapToLong(Content::records).sum() < 3 * KEYS;
        });
    }

    /** Waits until a topic shows the same records a few times in a row, longer than the cleaner rests in between. */
    private static void untilStill(String topic, int partitions) throws Exception {
        Map<TopicPartition, Content> before = Map.of();
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

    private static Map<TopicPartition, Content> contents(String topic, int partitions, String isolation) {
        List<TopicPartition> all = new ArrayList<>();
        for (int index = 0; index < partitions; index++) {
            all.add(new TopicPartition(topic, index));
        }
        return Content.of(all, isolation);
    }

    /** All records between the ends of a partition. */
    private record Content(long start, long end, long records, String digest) {
        static Map<TopicPartition, Content> of(Collection<TopicPartition> partitions, String isolation) {
            Map<TopicPartition, Content> all = new HashMap<>();
            Map<TopicPartition, MessageDigest> digests = new HashMap<>();
            Map<TopicPartition, Long> counts = new HashMap<>();
            partitions.forEach(partition -> digests.put(partition, sha256()));
            try (var consumer = Kafka.consumer("isolation.level", isolation, "enable.auto.commit", false)) {
                consumer.assign(partitions);
                consumer.seekToBeginning(partitions);
                var starts = consumer.beginningOffsets(partitions);
                var ends = consumer.endOffsets(partitions);
                long deadline = System.nanoTime() + PATIENCE.toNanos();
                List<TopicPartition> unread = new ArrayList<>(partitions);
                while (true) {
                    unread.removeIf(partition -> consumer.position(partition) >= ends.get(partition));
                    if (unread.isEmpty()) {
                        break;
                    }
                    if (System.nanoTime() > deadline) {
                        var stuck = unread.get(0);
                        throw new IllegalStateException(stuck + " stands at " + consumer.position(stuck) + " of " + ends.get(stuck));
                    }
                    var polled = consumer.poll(Duration.ofMillis(200));
                    for (var partition : polled.partitions()) {
                        polled.records(partition).forEach(record -> add(digests.get(partition), record));
                        counts.merge(partition, (long) polled.records(partition).size(), Long::sum);
                    }
                }
                digests.forEach((partition, digest) -> all.put(partition, new Content(starts.get(partition), ends.get(partition),
                        counts.getOrDefault(partition, 0L), HexFormat.of().formatHex(digest.digest()))));
            }
            return all;
        }

        private static MessageDigest sha256() {
            try {
                return MessageDigest.getInstance("SHA-256");
            } catch (java.security.NoSuchAlgorithmException impossible) {
                throw new IllegalStateException(impossible);
            }
        }

        private static void add(MessageDigest digest, ConsumerRecord<byte[], byte[]> record) {
            digest.update(ByteBuffer.allocate(16).putLong(record.offset()).putLong(record.timestamp()).array());
            add(digest, record.key());
            add(digest, record.value());
            for (var header : record.headers()) {
                add(digest, header.key().getBytes());
                add(digest, header.value());
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
            List<TopicPartition> all = new ArrayList<>();
            for (String name : names) {
                var topic = topics.get(name);
                int partitions = topic.partitions().size();
                say("topic", name, topic.topicId(), partitions, own(admin, name));
                for (int index = 0; index < partitions && !topic.isInternal(); index++) {
                    all.add(new TopicPartition(name, index));
                }
            }
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                var contents = Content.of(all, isolation);
                all.forEach(partition -> say(partition.topic(), partition.partition(), isolation, contents.get(partition)));
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

    /** What is there of a topic, and the newest value of each key as readers of committed records see it. */
    private static void survivors(String topic, int partitions) {
        for (int index = 0; index < partitions; index++) {
            var partition = new TopicPartition(topic, index);
            for (String isolation : List.of("read_uncommitted", "read_committed")) {
                say("left", topic, index, isolation, Content.of(List.of(partition), isolation).get(partition));
            }
            say("counts", topic, index, newest(partition));
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

    private static void trim(String topic, long before) throws Exception {
        try (Admin admin = Kafka.admin()) {
            admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(before))).all().get();
        }
    }

    private static void setTopic(String topic, String key, String value) throws Exception {
        try (Admin admin = Kafka.admin()) {
            set(admin, ConfigResource.Type.TOPIC, topic, key, value);
        }
    }

    private static void more(int count) throws Exception {
        var partition = new TopicPartition("codec-none", 0);
        try (Admin admin = Kafka.admin()) {
            var before = producers(admin, partition);
            for (String codec : CODECS) {
                send(values("codec-" + codec, count), "compression.type", codec);
            }
            send(values("trimmed", count));
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
        send(records);
    }

    private static TreeSet<Long> producers(Admin admin, TopicPartition partition) throws Exception {
        var ids = new TreeSet<Long>(List.of(-1L));
        var found = admin.describeProducers(List.of(partition)).partitionResult(partition).get();
        found.activeProducers().forEach(producer -> ids.add(producer.producerId()));
        return ids;
    }

    private static org.apache.kafka.clients.producer.Producer<byte[], byte[]> left() {
        return Kafka.producer("transactional.id", LEFT_OPEN, "transaction.timeout.ms", 600000);
    }

    private static void sendTo(org.apache.kafka.clients.producer.Producer<byte[], byte[]> producer, String value) {
        for (int index = 0; index < 2; index++) {
            producer.send(new ProducerRecord<>("transactions", index, null, value.getBytes()));
        }
    }

    /** The producer is not closed, which would abort: the process ends as if it had been killed. */
    private static void leaveOpen() throws Exception {
        var producer = left();
        producer.initTransactions();
        producer.beginTransaction();
        sendTo(producer, LEFT_OPEN);
        var offset = Map.of(new TopicPartition("transactions", 0), new OffsetAndMetadata(99));
        producer.sendOffsetsToTransaction(offset, new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("group-txn"));
        producer.flush();
        say("open");
    }

    /** Readers of committed records come to the end, and see nothing of the transaction that was left open; nor does its group. */
    private static void passes() {
        List<TopicPartition> all = List.of(new TopicPartition("transactions", 0), new TopicPartition("transactions", 1));
        try (var every = Kafka.consumer("enable.auto.commit", false);
                var consumer = Kafka.consumer("isolation.level", "read_committed", "enable.auto.commit", false)) {
            var ends = every.endOffsets(all);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (!all.stream().allMatch(partition -> consumer.position(partition) >= ends.get(partition))) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("a reader of committed records stands before the end");
                }
                for (var record : consumer.poll(Duration.ofMillis(200))) {
                    Suite.equal("a record that nobody committed", false, new String(record.value()).equals(LEFT_OPEN));
                }
            }
        }
        try (var member = Kafka.consumer("group.id", "group-txn", "isolation.level", "read_committed")) {
            var first = all.get(0);
            Suite.equal("what the group committed", 29L, member.committed(java.util.Set.of(first)).get(first).offset());
        }
        say("passes");
    }

    private static void again() {
        try (var producer = left()) {
            producer.initTransactions();
            producer.beginTransaction();
            sendTo(producer, "again");
            producer.commitTransaction();
        }
        say("done");
    }

    /** Numbers, one after the other, whatever happens to the broker; then each must be there once, in order. */
    private static void ride(String topic, int count) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = Kafka.producer("delivery.timeout.ms", 120000, "reconnect.backoff.max.ms", 200, "linger.ms", 1)) {
            for (int i = 0; i < count; i++) {
                sent.add(producer.send(Kafka.record(topic, Integer.toString(i))));
                if (i == count / 4) {
                    sent.get(i).get();
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
