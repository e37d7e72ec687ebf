package pagewire;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/** All records between the ends of a partition. */
record TakeoverContent(long start, long end, long records, String digest) {
    static Map<TopicPartition, TakeoverContent> of(Collection<TopicPartition> partitions, String isolation) {
        Map<TopicPartition, TakeoverContent> all = new HashMap<>();
        Map<TopicPartition, MessageDigest> digests = new HashMap<>();
        Map<TopicPartition, Long> counts = new HashMap<>();
        partitions.forEach(partition -> digests.put(partition, sha256()));
        try (var consumer = Kafka.consumer("isolation.level", isolation, "enable.auto.commit", false)) {
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            var starts = consumer.beginningOffsets(partitions);
            var ends = consumer.endOffsets(partitions);
            long deadline = System.nanoTime() + Takeover.PATIENCE.toNanos();
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
            digests.forEach((partition, digest) -> all.put(partition, new TakeoverContent(starts.get(partition), ends.get(partition),
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
