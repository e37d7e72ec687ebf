package pagewire;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.utils.Exit;

/**
 * The steps of the part {@code takeover}, each done with a broker, Kafka or ours. Lines that count begin with {@code = }.
 *
 * <ul>
 * <li>{@code load} writes something of every kind, {@code read} prints all that can be seen.
 * <li>{@code more} goes on where the clients before had stopped.
 * <li>{@code survivors} prints what is left of a topic and what counts of it.
 * <li>{@code set} changes a setting of a topic, {@code trim} deletes records.
 * <li>{@code ride} writes through a change of brokers.
 * <li>{@code leave-open} ends within a transaction, {@code passes} reads committed records to the log's end, {@code again} goes
 * on as the producer of that transaction.
 * </ul>
 */
final class Takeover {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final int KEYS = 500;
    /** A step that takes longer has failed; on a busy machine one may take long. */
    static final Duration PATIENCE = Duration.ofMinutes(2);

    private Takeover() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "load" -> TakeoverLoad.load(Integer.parseInt(args[1]), Arrays.asList(args).contains("new-groups"));
            case "read" -> TakeoverLooks.read();
            case "more" -> more(Integer.parseInt(args[1]));
            case "survivors" -> TakeoverLooks.survivors(args[1], Integer.parseInt(args[2]));
            case "trim" -> trim(args[1], Long.parseLong(args[2]));
            case "set" -> setTopic(args[1], args[2], args[3]);
            case "ride" -> ride(args[1], Integer.parseInt(args[2]));
            case "leave-open" -> TakeoverOpen.leaveOpen();
            case "passes" -> TakeoverOpen.passes();
            case "again" -> TakeoverOpen.again();
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Threads of clients that are still closing are of no use any more.
        Exit.exit(0);
    }

    static void say(Object... words) {
        var line = new StringBuilder("=");
        for (Object word : words) {
            line.append(' ').append(word);
        }
        System.out.println(line);
    }

    private static void trim(String topic, long before) throws Exception {
        try (Admin admin = Kafka.admin()) {
            admin.deleteRecords(Map.of(new TopicPartition(topic, 0), RecordsToDelete.beforeOffset(before))).all().get();
        }
    }

    static void setTopic(String topic, String key, String value) throws Exception {
        try (Admin admin = Kafka.admin()) {
            TakeoverLoad.set(admin, ConfigResource.Type.TOPIC, topic, key, value);
        }
    }

    private static void more(int count) throws Exception {
        var partition = new TopicPartition("codec-none", 0);
        try (Admin admin = Kafka.admin()) {
            var before = producers(admin, partition);
            for (String codec : CODECS) {
                TakeoverLoad.send(TakeoverLoad.values("codec-" + codec, count), "compression.type", codec);
            }
            TakeoverLoad.send(TakeoverLoad.values("trimmed", count));
            compactedOnceMore();
            var after = producers(admin, partition);
            if (after.last() <= before.last()) {
                throw new AssertionError("a producer id was given out twice: " + before + " then " + after);
            }
            var committed = admin.listConsumerGroupOffsets("group-classic").partitionsToOffsetAndMetadata().get();
            TakeoverLoad.consumeAs("group-classic", "codec-gzip", 500).forEach((index, first) -> Suite.equal(
                    "where the group goes on", first, committed.get(new TopicPartition("codec-gzip", index)).offset()));
        }
        say("done");
    }

    private static void compactedOnceMore() throws Exception {
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int key = 0; key < KEYS; key += 3) {
            records.add(new ProducerRecord<>("compacted", ("key " + key).getBytes(), "once more".getBytes()));
        }
        TakeoverLoad.send(records);
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
