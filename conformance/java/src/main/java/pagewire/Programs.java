package pagewire;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.utils.Exit;

/**
 * The steps of the parts {@code streams}, {@code connect} and {@code mirror}, each done with a broker, Kafka or ours. Lines that
 * count begin with {@code = }.
 *
 * <ul>
 * <li>{@code write-words} writes numbered words until its input ends, {@code arrive} waits for so many committed records,
 * {@code counted} checks what {@link Counting} made of them.
 * <li>{@code values} prints the committed records of a topic's only partition.
 * <li>{@code settings} prints a topic's own settings, {@code set} changes one.
 * <li>{@code topics} prints names of topics.
 * <li>{@code fill}, {@code show}, {@code behind}: see {@link Mirrored}.
 * </ul>
 */
final class Programs {
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final int WORDS = 97;
    /** A writer that nobody stops stops here. */
    private static final int WRITTEN_MAX = 300_000;

    private Programs() {}

    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "write-words" -> writeWords(args[1]);
            case "arrive" -> arrive(args[1], Integer.parseInt(args[2]));
            case "counted" -> counted(args[1]);
            case "values" -> committed(args[1], 0).forEach(record -> Takeover.say(new String(record.value(), StandardCharsets.UTF_8)));
            case "settings" -> settings(args[1]).forEach((name, value) -> Takeover.say(name + "=" + value));
            case "set" -> Takeover.setTopic(args[1], args[2], args[3]);
            case "topics" -> topics().forEach(Takeover::say);
            case "fill" -> Mirrored.fill(args[1], Integer.parseInt(args[2]), Integer.parseInt(args[3]));
            case "show" -> Mirrored.show(args[1], args[2]);
            case "behind" -> Mirrored.behind(args[1], args[2], args[3]);
            default -> throw new IllegalArgumentException(args[0]);
        }
        // Threads of clients that are still closing are of no use any more.
        Exit.exit(0);
    }

    /** At most a thousand a second: a load to be killed under, not one to hurry after. */
    private static void writeWords(String topic) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = Kafka.producer("delivery.timeout.ms", 120000, "reconnect.backoff.max.ms", 200, "linger.ms", 2)) {
            while (sent.size() < WRITTEN_MAX && !inputEnded()) {
                String number = Integer.toString(sent.size());
                String word = "word-" + sent.size() % WORDS;
                sent.add(producer.send(new ProducerRecord<>(topic, number.getBytes(), word.getBytes())));
                Thread.sleep(1);
            }
            for (var future : sent) {
                future.get();
            }
        }
        Takeover.say("wrote", sent.size());
    }

    private static final Thread INPUT = new Thread(() -> {
        try {
            System.in.transferTo(java.io.OutputStream.nullOutputStream());
        } catch (IOException gone) {
            // That is its end.
        }
    });

    private static boolean inputEnded() {
        if (INPUT.getState() == Thread.State.NEW) {
            INPUT.setDaemon(true);
            INPUT.start();
        }
        return !INPUT.isAlive();
    }

    private static void arrive(String topic, int count) throws Exception {
        Suite.until("a topic " + topic, PATIENCE, () -> topics().contains(topic));
        var partitions = partitions(topic);
        Instant deadline = Instant.now().plus(PATIENCE);
        int seen = 0;
        try (var consumer = Kafka.consumer("isolation.level", "read_committed")) {
            consumer.assign(partitions);
            while (seen < count && Instant.now().isBefore(deadline)) {
                seen += consumer.poll(Duration.ofMillis(200)).count();
            }
        }
        if (seen < count) {
            throw new AssertionError("of " + count + " records " + seen + " arrived");
        }
        Takeover.say("arrived");
    }

    /** Each word counted without a gap, each number once. */
    private static void counted(String topic) throws Exception {
        Map<String, Long> counts = new HashMap<>();
        Map<Long, Long> numbers = new TreeMap<>();
        for (var partition : partitions(topic)) {
            for (var record : committed(topic, partition.partition())) {
                var output = Counting.Output.of(record.key(), record.value());
                long before = counts.getOrDefault(output.word(), 0L);
                Suite.equal("the count of " + output.word() + " at " + partition + ":" + record.offset(), output.count(), before + 1);
                counts.put(output.word(), output.count());
                Long other = numbers.put(output.number(), record.offset());
                Suite.equal("the offset where number " + output.number() + " was counted before " + record.offset(), other, null);
            }
        }
        long next = 0;
        for (long number : numbers.keySet()) {
            Suite.equal("the next number that was counted", number, next);
            next += 1;
        }
        Takeover.say("counted", next);
    }

    static List<TopicPartition> partitions(String topic) throws Exception {
        try (Admin admin = Kafka.admin()) {
            int count = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            return IntStream.range(0, count).mapToObj(index -> new TopicPartition(topic, index)).toList();
        }
    }

    /** All that readers of committed records see of a partition. */
    static List<ConsumerRecord<byte[], byte[]>> committed(String topic, int index) {
        return committedFrom(new TopicPartition(topic, index), 0);
    }

    static List<ConsumerRecord<byte[], byte[]>> committedFrom(TopicPartition partition, long offset) {
        List<ConsumerRecord<byte[], byte[]>> found = new ArrayList<>();
        Instant deadline = Instant.now().plus(PATIENCE);
        try (var consumer = Kafka.consumer("isolation.level", "read_committed", "enable.auto.commit", false)) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, offset);
            long end = consumer.endOffsets(List.of(partition)).get(partition);
            while (consumer.position(partition) < end) {
                if (Instant.now().isAfter(deadline)) {
                    throw new AssertionError(partition + " is not read beyond " + consumer.position(partition) + " of " + end);
                }
                consumer.poll(Duration.ofMillis(200)).forEach(found::add);
            }
        }
        return found;
    }

    private static Map<String, String> settings(String topic) throws Exception {
        try (Admin admin = Kafka.admin()) {
            return TakeoverLooks.own(admin, topic);
        }
    }

    static List<String> topics() throws Exception {
        try (Admin admin = Kafka.admin()) {
            return admin.listTopics().names().get().stream().sorted().toList();
        }
    }
}
