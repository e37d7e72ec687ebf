package pagewire;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** A transaction that is open while brokers change, and what becomes of it. */
final class TakeoverOpen {
    /** A transactional id, and what its records are that nobody commits. */
    private static final String LEFT_OPEN = "left open";

    private TakeoverOpen() {}

    private static org.apache.kafka.clients.producer.Producer<byte[], byte[]> left() {
        return Kafka.producer("transactional.id", LEFT_OPEN, "transaction.timeout.ms", 600000);
    }

    private static void sendTo(org.apache.kafka.clients.producer.Producer<byte[], byte[]> producer, String value) {
        for (int index = 0; index < 2; index++) {
            producer.send(new ProducerRecord<>("transactions", index, null, value.getBytes()));
        }
    }

    /** The producer is not closed, which would abort: the process ends as if it had been killed. */
    static void leaveOpen() throws Exception {
        var producer = left();
        producer.initTransactions();
        producer.beginTransaction();
        sendTo(producer, LEFT_OPEN);
        var offset = Map.of(new TopicPartition("transactions", 0), new OffsetAndMetadata(99));
        producer.sendOffsetsToTransaction(offset, new org.apache.kafka.clients.consumer.ConsumerGroupMetadata("group-txn"));
        producer.flush();
        Takeover.say("open");
    }

    /** Readers of committed records come to the end, and see nothing of the transaction that was left open; nor does its group. */
    static void passes() {
        List<TopicPartition> all = List.of(new TopicPartition("transactions", 0), new TopicPartition("transactions", 1));
        try (var every = Kafka.consumer("enable.auto.commit", false);
                var consumer = Kafka.consumer("isolation.level", "read_committed", "enable.auto.commit", false)) {
            var ends = every.endOffsets(all);
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long deadline = System.nanoTime() + Takeover.PATIENCE.toNanos();
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
        Takeover.say("passes");
    }

    static void again() {
        try (var producer = left()) {
            producer.initTransactions();
            producer.beginTransaction();
            sendTo(producer, "again");
            producer.commitTransaction();
        }
        Takeover.say("done");
    }
}
