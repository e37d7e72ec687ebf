package pagewire;

import static pagewire.Suite.equal;
import static pagewire.Suite.refused;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** Transactions by the rules of version 2: the broker adds partitions, every end raises the epoch. */
final class Transactions {
    private static final String[] COMMITTED = {"isolation.level", "read_committed"};

    private Transactions() {}

    /** Begins a transaction with these values in both partitions of a topic. */
    private static void begin(KafkaProducer<byte[], byte[]> producer, String topic, List<String> values) {
        producer.beginTransaction();
        for (String value : values) {
            for (int partition = 0; partition < 2; partition++) {
                producer.send(new ProducerRecord<>(topic, partition, null, value.getBytes()));
            }
        }
        producer.flush();
    }

    private static List<String> valuesOf(String topic, int partition, int count) {
        try (var consumer = Kafka.consumer((Object[]) COMMITTED)) {
            consumer.assign(List.of(new TopicPartition(topic, partition)));
            return Kafka.receive(consumer, count).stream().map(record -> new String(record.value())).toList();
        }
    }

    private static long offset(Admin admin, String topic, OffsetSpec of) throws Exception {
        var partition = new TopicPartition(topic, 0);
        return admin.listOffsets(Map.of(partition, of)).partitionResult(partition).get().offset();
    }

    /** Retention is bounded by the high watermark, not by the last stable offset. Where the broker looks often enough. */
    static void retention() throws Exception {
        try (var admin = Kafka.admin()) {
            var broker = new ConfigResource(ConfigResource.Type.BROKER, admin.describeCluster().controller().get().idString());
            String interval = admin.describeConfigs(List.of(broker)).all().get().get(broker).get("log.retention.check.interval.ms").value();
            if (Long.parseLong(interval) > 5000) {
                return;
            }
            String topic = Kafka.topic(1, "retention.ms", "1000");
            try (var producer = Kafka.producer("transactional.id", unique("txn"))) {
                producer.initTransactions();
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, 0, 1000L, null, "old".getBytes())).get();
                until("what is too old to go", () -> offset(admin, topic, OffsetSpec.earliest()) == 1);
                producer.send(new ProducerRecord<>(topic, 0, null, "new".getBytes())).get();
                producer.commitTransaction();
                equal("a record and a marker", offset(admin, topic, OffsetSpec.latest()), 3L);
            }
        }
    }

    static void wholeOrNotAtAll() throws Exception {
        String topic = Kafka.topic(2);
        List<String> kept = new ArrayList<>();
        try (var producer = Kafka.producer("transactional.id", unique("txn"))) {
            producer.initTransactions();
            for (int number = 0; number < 20; number++) {
                List<String> values = List.of(number + "-a", number + "-b");
                begin(producer, topic, values);
                if (number % 3 == 0) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                    kept.addAll(values);
                }
            }
        }
        equal("values in partition 0", valuesOf(topic, 0, kept.size()), kept);
        equal("values in partition 1", valuesOf(topic, 1, kept.size()), kept);
    }

    static void replaced() throws Exception {
        String topic = Kafka.topic(2);
        String id = unique("fence");
        try (var first = Kafka.producer("transactional.id", id); var second = Kafka.producer("transactional.id", id)) {
            first.initTransactions();
            begin(first, topic, List.of("lost"));
            second.initTransactions();
            begin(second, topic, List.of("kept"));
            try {
                first.commitTransaction();
                throw new AssertionError("the first one has committed");
            } catch (ProducerFencedException | InvalidProducerEpochException expected) {
                second.commitTransaction();
            }
            first.close(Duration.ZERO);
        }
        equal("values", valuesOf(topic, 0, 1), List.of("kept"));
        try (var admin = Kafka.admin()) {
            var described = admin.describeTransactions(List.of(id)).description(id).get();
            equal("state", described.state(), TransactionState.COMPLETE_COMMIT);
            equal("partitions", described.topicPartitions().size(), 0);
        }
    }

    static void offsetsWithWhatWasMade() throws Exception {
        String source = Kafka.topic(1);
        String target = Kafka.topic(2);
        var from = new TopicPartition(source, 0);
        Kafka.send(Kafka.numbered(source, 50));
        String group = unique("eos");
        try (var producer = Kafka.producer("transactional.id", unique("eos"));
             var consumer = Kafka.consumer("group.id", group, "enable.auto.commit", false)) {
            producer.initTransactions();
            consumer.subscribe(List.of(source));
            for (boolean commits : new boolean[] {false, true}) {
                var got = Kafka.receive(consumer, 50);
                begin(producer, target, got.stream().map(record -> new String(record.value())).toList());
                var next = new OffsetAndMetadata(consumer.position(from));
                producer.sendOffsetsToTransaction(Map.of(from, next), consumer.groupMetadata());
                if (commits) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                    equal("offset after an abort", consumer.committed(Set.of(from)).get(from), null);
                    consumer.seek(from, 0);
                }
            }
            equal("offset after a commit", consumer.committed(Set.of(from)).get(from).offset(), 50L);
        }
        equal("values", valuesOf(target, 1, 50).size(), 50);
    }

    static void timeoutsAreBounded() throws Exception {
        try (var producer = Kafka.producer("transactional.id", unique("long"), "transaction.timeout.ms", 3_600_000)) {
            refused(KafkaException.class, () -> {
                producer.initTransactions();
                return null;
            });
        }
    }
}
