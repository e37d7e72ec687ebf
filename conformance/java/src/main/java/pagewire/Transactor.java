package pagewire;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ApplicationRecoverableException;
import org.apache.kafka.common.errors.AuthorizationException;
import org.apache.kafka.common.errors.InvalidTxnStateException;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.OutOfOrderSequenceException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.utils.Exit;

/**
 * A transactional client of Kafka's that is told each call by a line and answers by a line, for the part {@code transactions}:
 * {@code Transactor TRANSACTIONAL_ID GROUP TIMEOUT_MS PROTOCOL}, where {@code -} is none. The lines stand at the head of
 * {@code src/parts/transactions/client.rs}; {@code python/transactor.py} speaks the same.
 */
final class Transactor {
    private static final Duration POLL = Duration.ofMillis(200);
    private static final int POLLED_MAX = 8;
    private static final int SESSION_MS = 2_000;

    private final KafkaProducer<byte[], byte[]> producer;
    private final Consumer<byte[], byte[]> consumer;
    /** As whom offsets are committed: who this was in its group when it polled last. */
    private ConsumerGroupMetadata member;
    /** Records whose acknowledgement came, and nobody has asked for yet. */
    private final Queue<String> acked = new ConcurrentLinkedQueue<>();

    private Transactor(String id, String group, int timeoutMs, String protocol) {
        this.producer = id.equals("-") ? null : Kafka.producer(
            "transactional.id", id,
            "transaction.timeout.ms", timeoutMs,
            "reconnect.backoff.max.ms", 200,
            "request.timeout.ms", 10_000,
            "delivery.timeout.ms", 20_000,
            "max.block.ms", 20_000);
        List<Object> settings = new ArrayList<>(List.of(
            "group.id", group,
            "group.protocol", protocol,
            "enable.auto.commit", false,
            "isolation.level", "read_committed",
            "reconnect.backoff.max.ms", 200,
            "max.poll.interval.ms", 10_000,
            "max.poll.records", POLLED_MAX));
        if (protocol.equals("classic")) {
            settings.addAll(List.of("session.timeout.ms", SESSION_MS, "heartbeat.interval.ms", SESSION_MS / 4));
        }
        this.consumer = Kafka.consumer(settings.toArray());
        this.member = new ConsumerGroupMetadata(group);
    }

    public static void main(String[] args) throws Exception {
        var transactor = new Transactor(args[0], args[1], Integer.parseInt(args[2]), args[3]);
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.out.println("ok");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(transactor.answer(line.split(" ")));
        }
        // Nothing is said to the broker any more.
        Exit.exit(0);
    }

    private String answer(String[] words) {
        try {
            return ("ok " + call(words)).trim();
        } catch (KafkaException | IllegalStateException error) {
            return "fail " + kind(error) + " " + String.valueOf(error).replace('\n', ' ');
        }
    }

    /** What the documentation of the producer says is to be done about an error. */
    private static String kind(RuntimeException error) {
        if (error instanceof TimeoutException || error instanceof InterruptException) {
            return "retry";
        }
        boolean isFatal = error instanceof IllegalStateException
            || error instanceof ProducerFencedException
            || error instanceof ApplicationRecoverableException
            || error instanceof InvalidTxnStateException
            || error instanceof OutOfOrderSequenceException
            || error instanceof AuthorizationException;
        return isFatal ? "fatal" : "abort";
    }

    private String call(String[] words) {
        switch (words[0]) {
            case "init" -> producer.initTransactions();
            case "begin" -> producer.beginTransaction();
            case "send" -> send(words[1], Integer.parseInt(words[2]), words[3]);
            case "flush" -> producer.flush();
            case "offsets" -> producer.sendOffsetsToTransaction(next(words), member);
            case "commit" -> producer.commitTransaction();
            case "abort" -> producer.abortTransaction();
            case "acked" -> {
                return drained();
            }
            case "committed" -> {
                return committed(words);
            }
            case "subscribe" -> consumer.subscribe(List.of(words[1]));
            case "seek" -> {
                consumer.assign(offsets(words).keySet());
                offsets(words).forEach(consumer::seek);
            }
            case "poll" -> {
                return polled();
            }
            default -> throw new IllegalArgumentException(words[0]);
        }
        return "";
    }

    private void send(String topic, int partition, String value) {
        producer.send(new ProducerRecord<>(topic, partition, null, value.getBytes(StandardCharsets.UTF_8)), (metadata, error) -> {
            if (error == null) {
                acked.add(topic + ":" + partition + ":" + metadata.offset() + ":" + value);
            }
        });
    }

    private String drained() {
        List<String> all = new ArrayList<>();
        for (String one = acked.poll(); one != null; one = acked.poll()) {
            all.add(one);
        }
        return String.join(" ", all);
    }

    /** Goes on where the group's committed offsets say, in all these partitions or in its share. */
    private String committed(String[] words) {
        boolean isShared = !consumer.subscription().isEmpty();
        var asked = isShared ? consumer.assignment() : offsets(words).keySet();
        var found = consumer.committed(asked);
        Map<TopicPartition, Long> positions = new HashMap<>();
        for (var partition : asked) {
            var offset = found.get(partition);
            positions.put(partition, offset == null ? 0 : offset.offset());
        }
        if (!isShared) {
            consumer.assign(asked);
        }
        positions.forEach(consumer::seek);
        return positions.entrySet().stream().map(one -> name(one.getKey()) + ":" + one.getValue()).collect(Collectors.joining(" "));
    }

    private String polled() {
        List<String> all = new ArrayList<>();
        for (var record : consumer.poll(POLL)) {
            String value = new String(record.value(), StandardCharsets.UTF_8);
            all.add(record.topic() + ":" + record.partition() + ":" + record.offset() + ":" + value);
        }
        member = consumer.groupMetadata();
        return String.join(" ", all);
    }

    private static String name(TopicPartition partition) {
        return partition.topic() + ":" + partition.partition();
    }

    private static Map<TopicPartition, OffsetAndMetadata> next(String[] words) {
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        offsets(words).forEach((partition, offset) -> next.put(partition, new OffsetAndMetadata(offset)));
        return next;
    }

    /** {@code TOPIC:PARTITION:OFFSET} of every word but the first. */
    private static Map<TopicPartition, Long> offsets(String[] words) {
        Map<TopicPartition, Long> offsets = new HashMap<>();
        for (int at = 1; at < words.length; at++) {
            String[] parts = words[at].split(":");
            offsets.put(new TopicPartition(parts[0], Integer.parseInt(parts[1])), Long.parseLong(parts[2]));
        }
        return offsets;
    }
}
