package pagewire;

import static pagewire.Suite.equal;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.utils.Utils;

/** What the coordinators write down, as Kafka's own decoders of it read it. */
final class DumpedCoordinators {
    private static final Pattern STATUS = Pattern.compile("\"transactionStatus\":(\\d+)");
    private static final Pattern TYPE = Pattern.compile("\"type\":\"(\\d+)\"");

    private DumpedCoordinators() {}

    static void addTo(Suite suite) {
        suite.add("kafka-dump-log_transaction_state", DumpedCoordinators::transactions);
        // The group, empty, with its member and empty again; its commit.
        suite.add("kafka-dump-log_classic_group", () -> group("classic", List.of("2", "2", "1", "2"), 0));
        // The member, the group's epoch, the target, its epoch, what the member has; its commit; and all of it taken back.
        suite.add("kafka-dump-log_consumer_group", () -> group("consumer", List.of("5", "3", "7", "6", "8", "1", "8", "7", "5", "3"), 3));
    }

    /** Every state of a transaction is a record, in the order in which it goes through them. */
    static void transactions() throws Exception {
        Tools.dataDirectory();
        String topic = Kafka.topic(1);
        String id = unique("tool-dump");
        try (var producer = Kafka.producer("transactional.id", id)) {
            producer.initTransactions();
            for (boolean commit : new boolean[] {true, false}) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, "v".getBytes())).get();
                if (commit) {
                    producer.commitTransaction();
                } else {
                    producer.abortTransaction();
                }
            }
        }
        // The last record is written when its markers are, which the producer does not wait for.
        until("the whole of two transactions", () -> dumped("__transaction_state", id, "--transaction-log-decoder").size() == 7);
        List<String> lines = dumped("__transaction_state", id, "--transaction-log-decoder");
        equal("states", lines.stream().map(line -> found(STATUS, line)).toList(), List.of("0", "1", "2", "4", "1", "3", "5"));
    }

    /** A member comes, commits and goes. */
    static void group(String protocol, List<String> kinds, long takenBack) throws Exception {
        Tools.dataDirectory();
        String topic = Kafka.topic(1);
        String group = unique("tool-dump");
        try (var consumer = Kafka.consumer("group.id", group, "group.protocol", protocol, "enable.auto.commit", false)) {
            consumer.subscribe(List.of(topic));
            until("its partition", () -> {
                consumer.poll(Duration.ofMillis(50));
                return !consumer.assignment().isEmpty();
            });
            consumer.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(7, "seven")));
        }
        List<String> lines = dumped("__consumer_offsets", group, "--offsets-decoder");
        equal("kinds of records", lines.stream().map(line -> found(TYPE, line)).toList(), kinds);
        equal("a commit", lines.stream().filter(line -> line.contains("\"offset\":7,") && line.contains("\"metadata\":\"seven\"")).count(), 1L);
        equal("records that are taken back", lines.stream().filter(line -> line.endsWith("payload: <DELETE>")).count(), takenBack);
    }

    private static String found(Pattern pattern, String line) {
        var matcher = pattern.matcher(line);
        return matcher.find() ? matcher.group(1) : "";
    }

    /** The records of a coordinator's partition that name this id or group. */
    private static List<String> dumped(String topic, String name, String decoder) throws Exception {
        int partitions;
        try (var admin = Kafka.admin()) {
            partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
        }
        Path folder = Tools.partition(topic, Utils.abs(name.hashCode()) % partitions);
        String file = folder.resolve("00000000000000000000.log").toString();
        var ran = Tool.call("", "DumpLogSegments", decoder, "--files", file).succeeded();
        List<String> lines = new ArrayList<>(ran.lines());
        lines.removeIf(line -> !line.contains('"' + name + '"'));
        return lines;
    }
}
