package pagewire;

import static pagewire.Suite.equal;
import static pagewire.Suite.payload;
import static pagewire.Suite.refused;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.InvalidRecordException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTimestampException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;

/** Producing and reading back. */
final class Records {
    private Records() {}

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void everyShape(String codec) throws Exception {
        String topic = Kafka.topic(1);
        var headers = new RecordHeaders()
            .add("trace", bytes("abc")).add("trace", bytes("second")).add("empty", new byte[0]).add("null", null);
        List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
        sent.add(new ProducerRecord<>(topic, 0, null, bytes("k1"), bytes("plain"), headers));
        sent.add(new ProducerRecord<>(topic, null, bytes("no key")));
        sent.add(new ProducerRecord<>(topic, bytes("tombstone"), null));
        sent.add(new ProducerRecord<>(topic, new byte[0], new byte[0]));
        sent.add(new ProducerRecord<>(topic, bytes("ключ"), bytes("välue".repeat(50))));
        sent.add(new ProducerRecord<>(topic, bytes("big"), payload(900 * 1024)));
        for (int i = 0; i < 300; i++) {
            sent.add(new ProducerRecord<>(topic, bytes("many-" + i), bytes("repeated text ".repeat(20))));
        }
        Kafka.send(sent, "compression.type", codec);
        var got = Kafka.readAll(topic, 1, sent.size());
        for (int i = 0; i < sent.size(); i++) {
            equal("offset", got.get(i).offset(), (long) i);
            equal("key of " + i, got.get(i).key(), sent.get(i).key());
            equal("value of " + i, got.get(i).value(), sent.get(i).value());
            Header[] expected = sent.get(i).headers().toArray();
            equal("headers of " + i, got.get(i).headers().toArray(), expected);
        }
    }

    static void everyAck(String acks) throws Exception {
        String topic = Kafka.topic(1);
        Kafka.send(Kafka.numbered(topic, 500), "acks", acks, "enable.idempotence", "all".equals(acks));
        Kafka.inOrder(Kafka.readAll(topic, 1, 500));
    }

    static void idempotentOrder() throws Exception {
        String topic = Kafka.topic(1);
        var sent = Kafka.send(Kafka.numbered(topic, 20_000), "batch.size", 512, "linger.ms", 0);
        for (int i = 0; i < sent.size(); i++) {
            equal("offset acknowledged", sent.get(i).offset(), (long) i);
        }
        Kafka.inOrder(Kafka.readAll(topic, 1, 20_000));
    }

    static void keysChoosePartitions() throws Exception {
        String topic = Kafka.topic(4);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 400; i++) {
            records.add(new ProducerRecord<>(topic, bytes("key-" + i % 20), bytes("v")));
        }
        Kafka.send(records);
        Map<String, Set<Integer>> homes = new HashMap<>();
        for (var record : Kafka.readAll(topic, 4, 400)) {
            homes.computeIfAbsent(new String(record.key()), k -> new HashSet<>()).add(record.partition());
        }
        equal("keys", homes.size(), 20);
        equal("keys at home in one partition", homes.values().stream().filter(p -> p.size() == 1).count(), 20L);
    }

    static void smallFetches() throws Exception {
        String topic = Kafka.topic(1);
        Kafka.send(Kafka.numbered(topic, 5000), "batch.size", 1024);
        Kafka.inOrder(Kafka.readAll(topic, 1, 5000, "fetch.max.bytes", 500, "max.partition.fetch.bytes", 500));
    }

    static void logAppendTime() throws Exception {
        String topic = Kafka.topic(1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        var sent = Kafka.send(List.of(new ProducerRecord<>(topic, 0, 1_000_000L, null, bytes("v"))), "compression.type", "lz4");
        var record = Kafka.readAll(topic, 1, 1).get(0);
        equal("timestamp type", record.timestampType(), TimestampType.LOG_APPEND_TIME);
        equal("the time acknowledged", sent.get(0).timestamp(), record.timestamp());
        if (record.timestamp() < before - 5000) {
            throw new AssertionError("append time " + record.timestamp() + " is before " + before);
        }
    }

    static void recompress() throws Exception {
        for (String codec : List.of("uncompressed", "gzip", "snappy", "lz4", "zstd")) {
            String topic = Kafka.topic(1, "compression.type", codec);
            Kafka.send(Kafka.numbered(topic, 500), "compression.type", "gzip");
            Kafka.inOrder(Kafka.readAll(topic, 1, 500));
        }
    }

    static void tooLarge() throws Exception {
        String topic = Kafka.topic(1);
        var big = List.of(new ProducerRecord<byte[], byte[]>(topic, payload(1_500_000)));
        refused(RecordTooLargeException.class, () -> Kafka.send(big, "max.request.size", 4_000_000));
        Kafka.send(Kafka.numbered(topic, 1));
        Kafka.inOrder(Kafka.readAll(topic, 1, 1));
    }

    static void tooOld() throws Exception {
        String topic = Kafka.topic(1, "message.timestamp.before.max.ms", "60000");
        long old = System.currentTimeMillis() - 3_600_000;
        var record = List.of(new ProducerRecord<byte[], byte[]>(topic, 0, old, null, bytes("v")));
        refused(InvalidTimestampException.class, () -> Kafka.send(record));
        long future = System.currentTimeMillis() + 7_200_000;
        var early = List.of(new ProducerRecord<byte[], byte[]>(topic, 0, future, null, bytes("v")));
        refused(InvalidTimestampException.class, () -> Kafka.send(early));
        Kafka.send(Kafka.numbered(topic, 1));
        Kafka.inOrder(Kafka.readAll(topic, 1, 1));
    }

    static void nullKeyOnCompacted() throws Exception {
        String topic = Kafka.topic(1, "cleanup.policy", "compact");
        var error = refused(InvalidRecordException.class, () -> Kafka.send(Kafka.numbered(topic, 1)));
        Suite.contains(error.getMessage(), "Compacted topic cannot accept message without key");
        Kafka.send(List.of(new ProducerRecord<>(topic, bytes("k"), bytes("0"))));
        Kafka.inOrder(Kafka.readAll(topic, 1, 1));
    }

    static void autoCreate() throws Exception {
        String topic = Suite.unique("java-auto");
        Kafka.send(Kafka.numbered(topic, 3));
        Kafka.inOrder(Kafka.readAll(topic, 1, 3));
    }

    static void seekByTime() throws Exception {
        String topic = Kafka.topic(1);
        long start = System.currentTimeMillis() - 3_600_000;
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 60; i++) {
            records.add(new ProducerRecord<>(topic, 0, start + i * 1000L, null, bytes(Integer.toString(i))));
        }
        Kafka.send(records);
        var partition = new TopicPartition(topic, 0);
        try (var consumer = Kafka.consumer()) {
            consumer.assign(List.of(partition));
            equal("at an exact time", consumer.offsetsForTimes(Map.of(partition, start + 30_000)).get(partition).offset(), 30L);
            equal("between two times", consumer.offsetsForTimes(Map.of(partition, start + 30_001)).get(partition).offset(), 31L);
            equal("after the last", consumer.offsetsForTimes(Map.of(partition, start + 3_000_000)).get(partition), null);
            equal("beginning", consumer.beginningOffsets(List.of(partition)).get(partition), 0L);
            equal("end", consumer.endOffsets(List.of(partition)).get(partition), 60L);
            consumer.seek(partition, 45);
            var got = Kafka.receive(consumer, 15);
            equal("first after seeking", List.of(got.get(0).offset(), got.get(0).timestamp()), List.of(45L, start + 45_000));
            consumer.seekToBeginning(List.of(partition));
            equal("from the beginning", Kafka.receive(consumer, 60).get(0).offset(), 0L);
            equal("lag", consumer.currentLag(partition).orElse(-1), 0L);
        }
    }

    static void outOfRange() throws Exception {
        String topic = Kafka.topic(1);
        Kafka.send(Kafka.numbered(topic, 10));
        var partition = new TopicPartition(topic, 0);
        try (var consumer = Kafka.consumer("auto.offset.reset", "none")) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, 5000);
            refused(OffsetOutOfRangeException.class, () -> {
                for (int i = 0; i < 20; i++) {
                    consumer.poll(Duration.ofMillis(500));
                }
                return null;
            });
        }
    }
}
