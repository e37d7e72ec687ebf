package pagewire;

import static pagewire.Suite.contains;
import static pagewire.Suite.equal;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;
import static pagewire.Tool.run;
import static pagewire.Tool.runWithInput;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Kafka's own command-line tools, by the names of their classes. */
public final class Tools {
    private Tools() {}

    public static void main(String[] names) throws Exception {
        Suite suite = new Suite();
        suite.add("kafka-broker-api-versions", Tools::apiVersions);
        suite.add("kafka-cluster", Tools::cluster);
        suite.add("kafka-topics", Tools::topics);
        suite.add("kafka-topics_errors", Tools::topicErrors);
        suite.add("kafka-configs_topic", Tools::topicConfigs);
        suite.add("kafka-configs_broker", Tools::brokerConfigs);
        suite.add("kafka-console-producer_and_consumer", Tools::console);
        suite.add("kafka-consumer-groups", Tools::groups);
        suite.add("kafka-consumer-groups_reset", Tools::groupReset);
        suite.add("kafka-groups", Tools::allGroups);
        suite.add("kafka-get-offsets", Tools::offsets);
        suite.add("kafka-delete-records", Tools::deleteRecords);
        suite.add("kafka-log-dirs", Tools::logDirs);
        suite.add("kafka-transactions_abort", Tools::abortTransaction);
        AdminTools.addTo(suite);
        HangingTransactions.addTo(suite);
        suite.add("kafka-producer-perf-test", Tools::producerPerformance);
        suite.add("kafka-consumer-perf-test", Tools::consumerPerformance);
        suite.add("kafka-e2e-latency", Tools::endToEndLatency);
        suite.add("kafka-verifiable-producer_and_consumer", Tools::verifiable);
        suite.add("kafka-dump-log", Tools::dumpLog);
        DumpedCoordinators.addTo(suite);
        // One at a time: see Tool.
        suite.runAndExit(names, 1);
    }

    private static String newTopic(int partitions) throws Exception {
        String topic = unique("tool");
        run("TopicCommand", "--create", "--topic", topic, "--partitions", String.valueOf(partitions)).succeeded();
        try (var admin = Kafka.admin()) {
            Kafka.usable(admin, topic, partitions);
        }
        return topic;
    }

    private static String numbers(int count) {
        return IntStream.range(0, count).mapToObj(i -> i + "\n").collect(Collectors.joining());
    }

    private static void produce(String topic, int count) throws Exception {
        runWithInput(numbers(count), "ConsoleProducer", "--topic", topic).succeeded();
    }

    static void apiVersions() throws Exception {
        String text = run("BrokerApiVersionsCommand").succeeded().out();
        for (String line : List.of("Produce(0): 0 to 13", "Fetch(1): 4 to 18", "ListOffsets(2): 1 to 11", "Metadata(3): 0 to 13",
            "OffsetCommit(8): 2 to 10", "OffsetFetch(9): 1 to 10", "FindCoordinator(10): 0 to 6", "JoinGroup(11): 0 to 9",
            "ApiVersions(18): 0 to 4", "CreateTopics(19): 2 to 7", "InitProducerId(22): 0 to 5", "DescribeCluster(60): 0 to 2")) {
            contains(text, line);
        }
    }

    static void cluster() throws Exception {
        contains(run("ClusterTool", "cluster-id").succeeded().out(), "Cluster ID: ");
        contains(run("ClusterTool", "list-endpoints").succeeded().out(), "127.0.0.1");
    }

    static void topics() throws Exception {
        String topic = unique("tool-topics");
        String said = run("TopicCommand", "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=3600000").succeeded().out();
        contains(said, "Created topic " + topic + ".");
        contains(run("TopicCommand", "--list").succeeded().out(), topic);
        String described = run("TopicCommand", "--describe", "--topic", topic).succeeded().out();
        contains(described, "PartitionCount: 3");
        contains(described, "ReplicationFactor: 1");
        contains(described, "retention.ms=3600000");
        contains(described, "TopicId: ");
        run("TopicCommand", "--alter", "--topic", topic, "--partitions", "5").succeeded();
        contains(run("TopicCommand", "--describe", "--topic", topic).succeeded().out(), "PartitionCount: 5");
        equal("under-replicated", run("TopicCommand", "--describe", "--under-replicated-partitions").succeeded().lines().size(), 0);
        equal("unavailable", run("TopicCommand", "--describe", "--unavailable-partitions").succeeded().lines().size(), 0);
        run("TopicCommand", "--delete", "--topic", topic).succeeded();
        until("the topic gone", () -> !run("TopicCommand", "--list").out().contains(topic));
        run("TopicCommand", "--create", "--topic", topic).succeeded();
        run("TopicCommand", "--create", "--topic", topic, "--if-not-exists").succeeded();
    }

    static void topicErrors() throws Exception {
        String topic = newTopic(3);
        contains(run("TopicCommand", "--create", "--topic", topic).failed().text(), "Topic '" + topic + "' already exists.");
        String fewer = run("TopicCommand", "--alter", "--topic", topic, "--partitions", "2").failed().text();
        contains(fewer, "The topic " + topic + " currently has 3 partition(s); 2 would not be an increase.");
        contains(run("TopicCommand", "--create", "--topic", topic + "-x", "--config", "nosuch=1").failed().text(), "nosuch");
        run("TopicCommand", "--describe", "--topic", topic + "-nosuch").failed();
        run("TopicCommand", "--delete", "--topic", topic + "-nosuch").failed();
        run("TopicCommand", "--create", "--topic", topic + "-y", "--replication-factor", "4").failed();
    }

    static void topicConfigs() throws Exception {
        String topic = newTopic(1);
        String[] entity = {"--entity-type", "topics", "--entity-name", topic};
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--add-config", "retention.ms=7200000,max.message.bytes=2000000")).succeeded();
        String described = run("kafka.admin.ConfigCommand", with(entity, "--describe")).succeeded().out();
        contains(described, "retention.ms=7200000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=7200000}");
        contains(described, "max.message.bytes=2000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:max.message.bytes=2000000, DEFAULT_CONFIG:message.max.bytes=1048588}");
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--delete-config", "retention.ms")).succeeded();
        equal("taken back", run("kafka.admin.ConfigCommand", with(entity, "--describe")).succeeded().out().contains("retention.ms"), false);
        contains(run("kafka.admin.ConfigCommand", with(entity, "--describe", "--all")).succeeded().out(), "segment.bytes=1073741824");
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--add-config", "nosuch.setting=1")).failed();
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--add-config", "retention.ms=soon")).failed();
    }

    static void brokerConfigs() throws Exception {
        String node = node();
        String[] entity = {"--entity-type", "brokers", "--entity-name", node};
        contains(run("kafka.admin.ConfigCommand", with(entity, "--describe", "--all")).succeeded().out(), "log.segment.bytes=");
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--add-config", "background.threads=7")).succeeded();
        until("the altered value", () -> run("kafka.admin.ConfigCommand", with(entity, "--describe")).out().contains("background.threads=7"));
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--delete-config", "background.threads")).succeeded();
        until("the value taken back", () -> !run("kafka.admin.ConfigCommand", with(entity, "--describe")).out().contains("background.threads=7"));
        run("kafka.admin.ConfigCommand", with(entity, "--alter", "--add-config", "node.id=9")).failed();
    }

    private static String node() throws Exception {
        try (var admin = Kafka.admin()) {
            return admin.describeCluster().controller().get().idString();
        }
    }

    private static String[] with(String[] some, String... more) {
        return java.util.stream.Stream.concat(java.util.Arrays.stream(some), java.util.Arrays.stream(more)).toArray(String[]::new);
    }

    static void console() throws Exception {
        String topic = unique("tool-console");
        String input = "h1:one,h2:two\tkey1\tvalue1\nh1:three\tkey2\tvalue 2 ü\n";
        runWithInput(input, "ConsoleProducer", "--topic", topic, "--compression-codec", "zstd",
            "--reader-property", "parse.key=true", "--reader-property", "parse.headers=true").succeeded();
        var read = run("consumer.ConsoleConsumer", "--topic", topic, "--from-beginning", "--max-messages", "2", "--timeout-ms", "20000",
            "--formatter-property", "print.key=true", "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true",
            "--formatter-property", "print.partition=true").succeeded();
        equal("lines", read.lines(), List.of("Partition:0\tOffset:0\th1:one,h2:two\tkey1\tvalue1", "Partition:0\tOffset:1\th1:three\tkey2\tvalue 2 ü"));
        String group = unique("tool-console-group");
        for (int expected : new int[] {1, 1}) {
            var some = run("consumer.ConsoleConsumer", "--topic", topic, "--group", group, "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000").succeeded();
            equal("messages", some.lines().size(), expected);
        }
        var from = run("consumer.ConsoleConsumer", "--topic", topic, "--partition", "0", "--offset", "1", "--max-messages", "1", "--timeout-ms", "20000").succeeded();
        equal("from an offset", from.lines(), List.of("value 2 ü"));
    }

    static void groups() throws Exception {
        String topic = newTopic(1);
        String group = unique("tool-group");
        produce(topic, 20);
        try (var consumer = Kafka.consumer("group.id", group, "client.id", "tool-client", "enable.auto.commit", false, "max.poll.records", 15)) {
            consumer.subscribe(List.of(topic));
            Kafka.receive(consumer, 15);
            consumer.commitSync();
            contains(run("consumer.group.ConsumerGroupCommand", "--list").succeeded().out(), group);
            String state = run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group, "--state").succeeded().out();
            contains(state.replaceAll(" +", " "), "range Stable 1");
            contains(run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group, "--members", "--verbose").succeeded().out(), "tool-client");
            String offsets = run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group).succeeded().out().replaceAll(" +", " ");
            contains(offsets, group + " " + topic + " 0 15 20 5 tool-client");
            contains(run("consumer.group.ConsumerGroupCommand", "--delete", "--group", group).text(), "not empty");
        }
        until("an empty group", () -> run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group, "--state").out().contains("Empty"));
        contains(run("consumer.group.ConsumerGroupCommand", "--list", "--state", "Empty").succeeded().out(), group);
        run("consumer.group.ConsumerGroupCommand", "--delete-offsets", "--group", group, "--topic", topic).succeeded();
        contains(run("consumer.group.ConsumerGroupCommand", "--delete", "--group", group).succeeded().text(), "successful");
        contains(run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group).text(), "not found");
    }

    static void groupReset() throws Exception {
        String topic = newTopic(1);
        String group = unique("tool-reset");
        produce(topic, 50);
        for (var target : Map.of("--to-earliest", "0", "--to-latest", "50", "--to-offset=17", "17", "--by-duration=PT1H", "0").entrySet()) {
            String[] option = target.getKey().split("=");
            String[] arguments = with(new String[] {"--reset-offsets", "--group", group, "--topic", topic, "--execute"}, option);
            run("consumer.group.ConsumerGroupCommand", arguments).succeeded();
            String offsets = run("consumer.group.ConsumerGroupCommand", "--describe", "--group", group).succeeded().out().replaceAll(" +", " ");
            contains(offsets, topic + " 0 " + target.getValue() + " 50");
        }
        run("consumer.group.ConsumerGroupCommand", "--reset-offsets", "--group", group, "--topic", topic, "--execute", "--to-offset", "20").succeeded();
        run("consumer.group.ConsumerGroupCommand", "--reset-offsets", "--group", group, "--topic", topic, "--execute", "--shift-by", "-5").succeeded();
        try (var consumer = Kafka.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            equal("first after the reset", Kafka.receive(consumer, 35).get(0).offset(), 15L);
        }
    }

    static void allGroups() throws Exception {
        String topic = newTopic(1);
        String group = unique("tool-any");
        produce(topic, 1);
        try (var consumer = Kafka.consumer("group.id", group)) {
            consumer.subscribe(List.of(topic));
            Kafka.receive(consumer, 1);
            String listed = run("GroupsCommand", "--list").succeeded().out().replaceAll(" +", " ");
            contains(listed, group + " Classic consumer");
        }
    }

    static void offsets() throws Exception {
        String topic = newTopic(2);
        Kafka.send(List.of(new org.apache.kafka.clients.producer.ProducerRecord<>(topic, 1, null, "v".getBytes())));
        equal("latest", run("GetOffsetShell", "--topic", topic).succeeded().lines(), List.of(topic + ":0:0", topic + ":1:1"));
        equal("earliest", run("GetOffsetShell", "--topic", topic, "--time", "earliest").succeeded().lines(), List.of(topic + ":0:0", topic + ":1:0"));
        // A partition without records has no largest timestamp.
        contains(run("GetOffsetShell", "--topic", topic, "--time", "max-timestamp").succeeded().out(), topic + ":1:0");
        contains(run("GetOffsetShell", "--topic-partitions", topic + ":1", "--time", "1").succeeded().out(), topic + ":1:0");
        contains(run("GetOffsetShell", "--topic-partitions", topic + ":1", "--time", "earliest-local").succeeded().out(), topic + ":1:0");
    }

    static void deleteRecords() throws Exception {
        String topic = newTopic(1);
        produce(topic, 50);
        Path file = Files.createTempFile("pagewire-delete", ".json");
        try {
            Files.writeString(file, "{\"version\":1,\"partitions\":[{\"topic\":\"" + topic + "\",\"partition\":0,\"offset\":30}]}");
            contains(run("DeleteRecordsCommand", "--offset-json-file", file.toString()).succeeded().out(), "low_watermark: 30");
        } finally {
            Files.delete(file);
        }
        contains(run("GetOffsetShell", "--topic", topic, "--time", "-2").succeeded().out(), topic + ":0:30");
    }

    static void logDirs() throws Exception {
        String topic = newTopic(1);
        produce(topic, 50);
        String text = run("LogDirsCommand", "--describe", "--topic-list", topic).succeeded().out();
        contains(text, "\"partition\":\"" + topic + "-0\"");
        contains(text, "\"error\":null");
    }

    static void abortTransaction() throws Exception {
        String topic = newTopic(1);
        produce(topic, 3);
        String[] partition = {"--topic", topic, "--partition", "0"};
        contains(run("TransactionsCommand", with(with(new String[] {"abort"}, partition), "--start-offset", "0")).failed().text(),
            "Could not find any open transactions starting at offset 0");
        // A producer that nobody knows: its marker is written all the same.
        run("TransactionsCommand", with(with(new String[] {"abort"}, partition), "--producer-id", "123456", "--producer-epoch", "3",
            "--coordinator-epoch", "2")).succeeded();
        String producers = run("TransactionsCommand", with(new String[] {"describe-producers"}, partition)).succeeded().out();
        contains(producers.replaceAll("\\s+", " "), "123456 3 2 -1 ");
        equal("latest", run("GetOffsetShell", "--topic", topic).succeeded().lines(), List.of(topic + ":0:4"));
        contains(run("TransactionsCommand", with(with(new String[] {"abort"}, partition), "--producer-id", "123456", "--producer-epoch", "2",
            "--coordinator-epoch", "2")).failed().text(), "invalid producer epoch");
    }

    static void producerPerformance() throws Exception {
        String topic = newTopic(3);
        String text = run("ProducerPerformance", "--topic", topic, "--num-records", "50000", "--record-size", "1000", "--throughput", "-1",
            "--command-property", "acks=1").succeeded().out();
        contains(text, "50000 records sent");
    }

    static void consumerPerformance() throws Exception {
        String topic = newTopic(3);
        run("ProducerPerformance", "--topic", topic, "--num-records", "50000", "--record-size", "1000", "--throughput", "-1").succeeded();
        var lines = run("ConsumerPerformance", "--topic", topic, "--num-records", "50000", "--timeout", "20000").succeeded().lines();
        long read = Long.parseLong(lines.get(lines.size() - 1).split(", ")[4].trim());
        equal("all records read", read >= 50_000, true);
    }

    static void endToEndLatency() throws Exception {
        String topic = newTopic(1);
        String text = run("EndToEndLatency", "--topic", topic, "--num-records", "200", "--producer-acks", "all", "--record-size", "100").succeeded().out();
        contains(text, "Avg latency: ");
    }

    static void verifiable() throws Exception {
        String topic = newTopic(2);
        var produced = Tool.process("VerifiableProducer", "--topic", topic, "--max-messages", "500", "--throughput", "-1", "--acks", "-1").succeeded();
        long acknowledged = produced.lines().stream().filter(line -> line.contains("\"producer_send_success\"")).count();
        equal("acknowledged", acknowledged, 500L);
        var consumed = Tool.process("VerifiableConsumer", "--topic", topic, "--group-id", unique("tool-verifiable"), "--max-messages", "500",
            "--reset-policy", "earliest", "--verbose").succeeded();
        long records = consumed.lines().stream().filter(line -> line.contains("\"record_data\"")).count();
        equal("consumed", records, 500L);
        contains(consumed.out(), "\"offsets_committed\"");
    }

    static Path dataDirectory() {
        String directory = System.getenv("DATA_DIR");
        if (directory == null) {
            throw new Suite.Skip("the broker's log directory is not known");
        }
        return Path.of(directory);
    }

    static Path partition(String topic, int partition) throws Exception {
        String name = topic + "-" + partition;
        Path root = dataDirectory();
        // The broker's files come and go meanwhile: only this name is asked for.
        if (Files.isDirectory(root.resolve(name))) {
            return root.resolve(name);
        }
        try (var below = Files.newDirectoryStream(root, path -> Files.isDirectory(path))) {
            for (Path directory : below) {
                if (Files.isDirectory(directory.resolve(name))) {
                    return directory.resolve(name);
                }
            }
        }
        throw new AssertionError("no directory " + name + " under " + root);
    }

    static void dumpLog() throws Exception {
        dataDirectory();
        String topic = newTopic(1);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            Kafka.send(Kafka.numbered(topic, 2000), "compression.type", codec, "batch.size", 2000);
        }
        Path folder = partition(topic, 0);
        String base = folder.resolve("00000000000000000000").toString();
        var dumped = Tool.call("", "DumpLogSegments", "--files", base + ".log", "--deep-iteration", "--print-data-log").succeeded();
        equal("records", dumped.lines().stream().filter(line -> line.startsWith("| offset: ")).count(), 10_000L);
        equal("good checksums only", dumped.out().contains("isvalid: false"), false);
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            contains(dumped.out(), "compresscodec: " + codec);
        }
        Tool.call("", "DumpLogSegments", "--files", base + ".index", "--index-sanity-check").succeeded();
        for (String index : List.of(".index", ".timeindex")) {
            var checked = Tool.call("", "DumpLogSegments", "--files", base + index, "--verify-index-only").succeeded();
            equal("mismatches in " + index, checked.text().contains("Mismatches"), false);
        }
    }
}
