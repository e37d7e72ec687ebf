package pagewire;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Clients at default settings, and what nearly every case does with them. */
final class Kafka {
    private Kafka() {}

    static Map<String, Object> config(Object... pairs) {
        Map<String, Object> config = new HashMap<>();
        config.put("bootstrap.servers", Suite.bootstrap());
        for (int i = 0; i < pairs.length; i += 2) {
            config.put((String) pairs[i], pairs[i + 1]);
        }
        return config;
    }

    static Admin admin() {
        return Admin.create(config());
    }

    static Consumer<byte[], byte[]> consumer(Object... pairs) {
        var config = config("auto.offset.reset", "earliest");
        config.putAll(config(pairs));
        return new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static KafkaProducer<byte[], byte[]> producer(Object... pairs) {
        return new KafkaProducer<>(config(pairs), new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** A new topic whose partitions all have leaders. */
    static String topic(int partitions, String... configs) throws Exception {
        String name = Suite.unique("java");
        Map<String, String> settings = new HashMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            settings.put(configs[i], configs[i + 1]);
        }
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(settings))).all().get();
            usable(admin, name, partitions);
        }
        return name;
    }

    static void usable(Admin admin, String topic, int partitions) throws Exception {
        Suite.until("the topic's partitions", () -> {
            try {
                var found = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
                return found.size() == partitions && found.stream().allMatch(p -> p.leader() != null && !p.leader().isEmpty());
            } catch (Exception notYet) {
                return false;
            }
        });
    }

    static ProducerRecord<byte[], byte[]> record(String topic, String value) {
        return new ProducerRecord<>(topic, value.getBytes());
    }

    static List<ProducerRecord<byte[], byte[]>> numbered(String topic, int count) {
        return IntStream.range(0, count).mapToObj(i -> record(topic, Integer.toString(i))).toList();
    }

    /** Sends all and waits for all; the first failure is thrown. */
    static List<RecordMetadata> send(List<ProducerRecord<byte[], byte[]>> records, Object... pairs) throws Exception {
        try (var producer = producer(pairs)) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (var record : records) {
                sent.add(producer.send(record));
            }
            List<RecordMetadata> metadata = new ArrayList<>();
            for (var future : sent) {
                metadata.add(future.get());
            }
            return metadata;
        }
    }

    /** Polls until it has at least this many records. */
    static List<ConsumerRecord<byte[], byte[]>> receive(Consumer<byte[], byte[]> consumer, int count) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        Instant deadline = Instant.now().plusSeconds(40);
        while (got.size() < count && Instant.now().isBefore(deadline)) {
            consumer.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        Suite.equal("records received", got.size(), count);
        return got;
    }

    static List<ConsumerRecord<byte[], byte[]>> readAll(String topic, int partitions, int count, Object... pairs) {
        try (var consumer = consumer(pairs)) {
            consumer.assign(IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList());
            return receive(consumer, count);
        }
    }

    static void inOrder(List<ConsumerRecord<byte[], byte[]>> records) {
        for (int i = 0; i < records.size(); i++) {
            Suite.equal("value", new String(records.get(i).value()), Integer.toString(i));
        }
    }
}
