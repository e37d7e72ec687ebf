package pagewire;

import static pagewire.Suite.contains;
import static pagewire.Suite.equal;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;
import static pagewire.Tool.run;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.producer.ProducerRecord;

/** Kafka's tools for whoever runs a cluster: leaders, replicas, the quorum, features, settings, transactions. */
final class AdminTools {
    private static final String CONFIGS = "kafka.admin.ConfigCommand";
    private static final String REASSIGN = "reassign.ReassignPartitionsCommand";

    private AdminTools() {}

    static void addTo(Suite suite) {
        suite.add("kafka-leader-election", AdminTools::elections);
        suite.add("kafka-reassign-partitions", AdminTools::reassignments);
        suite.add("kafka-reassign-partitions_throttles", AdminTools::throttles);
        suite.add("kafka-reassign-partitions_log_dirs", AdminTools::logDirs);
        suite.add("kafka-metadata-quorum", AdminTools::quorum);
        suite.add("kafka-features", AdminTools::features);
        suite.add("kafka-configs_all_brokers", AdminTools::allBrokers);
        suite.add("kafka-configs_groups", AdminTools::groupConfigs);
        suite.add("kafka-configs_broker_loggers", AdminTools::loggers);
        suite.add("kafka-consumer-groups_reset_options", AdminTools::resetOptions);
        suite.add("kafka-transactions", AdminTools::transactions);
        suite.add("kafka-log-dirs_and_get-offsets_of_what_is_not_there", AdminTools::notThere);
    }

    private static String[] words(String line, String... more) {
        List<String> words = new ArrayList<>(Arrays.asList(line.split(" ")));
        words.addAll(Arrays.asList(more));
        return words.toArray(String[]::new);
    }

    /** What a tool printed, spaces in rows made one. */
    private static String said(Tool.Ran ran) {
        return ran.succeeded().out().replaceAll("[ \t]+", " ");
    }

    private static String node() throws Exception {
        try (var admin = Kafka.admin()) {
            return admin.describeCluster().controller().get().idString();
        }
    }

    /** A file for a tool, gone when the case is done. */
    private static void withFile(String content, Case body) throws Exception {
        Path file = Files.createTempFile("pagewire-tool", ".json");
        try {
            Files.writeString(file, content);
            body.with(file.toString());
        } finally {
            Files.delete(file);
        }
    }

    private interface Case {
        void with(String file) throws Exception;
    }

    static void elections() throws Exception {
        String topic = Kafka.topic(2);
        for (String type : List.of("preferred", "unclean")) {
            String one = said(run("LeaderElectionCommand", words("--election-type " + type + " --partition 1 --topic", topic)));
            contains(one, "Valid replica already elected for partitions " + topic + "-1");
            equal("of all", said(run("LeaderElectionCommand", words("--election-type " + type + " --all-topic-partitions"))), "");
        }
        String plan = "{\"partitions\":[{\"topic\":\"" + topic + "\",\"partition\":0},{\"topic\":\"" + topic + "\",\"partition\":1}]}";
        withFile(plan, file -> {
            String both = said(run("LeaderElectionCommand", words("--election-type preferred --path-to-json-file", file)));
            for (String part : List.of("Valid replica already elected for partitions ", topic + "-0", topic + "-1")) {
                contains(both, part);
            }
        });
        contains(run("LeaderElectionCommand", words("--election-type preferred --partition 9 --topic", topic)).failed().text(),
            "No such partition as " + topic + "-9");
        contains(run("LeaderElectionCommand", words("--election-type preferred --partition 0 --topic", topic + "-nosuch")).failed().text(),
            "No such topic as " + topic + "-nosuch");
    }

    private static String plan(String topic, String replicas) {
        String dirs = replicas.replaceAll("[0-9]+", "\"any\"");
        return "{\"version\":1,\"partitions\":[{\"topic\":\"" + topic + "\",\"partition\":0,\"replicas\":[" + replicas + "],\"log_dirs\":["
            + dirs + "]}]}";
    }

    static void reassignments() throws Exception {
        String topic = Kafka.topic(1);
        String node = node();
        withFile("{\"version\":1,\"topics\":[{\"topic\":\"" + topic + "\"}]}", file -> {
            String[] generate = words("--generate --topics-to-move-json-file", file, "--broker-list");
            contains(said(run(REASSIGN, words(String.join(" ", generate), node))),
                "Proposed partition reassignment configuration\n" + plan(topic, node));
        });
        withFile(plan(topic, node), file -> {
            contains(said(run(REASSIGN, words("--execute --reassignment-json-file", file))),
                "Successfully started partition reassignment for " + topic + "-0");
            contains(said(run(REASSIGN, words("--verify --reassignment-json-file", file))), "Reassignment of partition " + topic + "-0 is completed.");
            contains(said(run(REASSIGN, words("--cancel --reassignment-json-file", file))), "None of the specified partition reassignments are active.");
        });
        withFile(plan(topic, node + ",99"), file -> contains(
            run(REASSIGN, words("--execute --reassignment-json-file", file)).failed().text(), "Unknown broker id 99"));
        withFile(plan(topic + "-nosuch", node), file -> contains(
            run(REASSIGN, words("--execute --reassignment-json-file", file)).failed().text(), "Topic " + topic + "-nosuch not found"));
        contains(said(run(REASSIGN, "--list")), "No partition reassignments found.");
    }

    static void throttles() throws Exception {
        String topic = Kafka.topic(1);
        String node = node();
        String[] broker = words("--describe --entity-type brokers --entity-name", node);
        withFile(plan(topic, node), file -> {
            contains(said(run(REASSIGN, words("--execute --throttle 1000000 --reassignment-json-file", file))),
                "The inter-broker throttle limit was set to 1000000 B/s");
            until("the throttle", () -> run(CONFIGS, broker).out().contains("leader.replication.throttled.rate=1000000"));
            contains(said(run(CONFIGS, words("--describe --entity-type topics --entity-name", topic))), "leader.replication.throttled.replicas=0:" + node);
            contains(said(run(REASSIGN, words("--verify --reassignment-json-file", file))), "Clearing topic-level throttles on topic " + topic);
            until("no throttle", () -> !run(CONFIGS, broker).out().contains("throttled.rate"));
            equal("of the topic", run(CONFIGS, words("--describe --entity-type topics --entity-name", topic)).succeeded().out().contains("throttled"), false);
        });
    }

    private static String planIn(String topic, String node, String dir) {
        return plan(topic, node).replace("\"any\"", "\"" + dir + "\"");
    }

    /** Where a partition is, or is to be. */
    private static String dirOf(String topic, boolean future) throws Exception {
        int node = Integer.parseInt(node());
        try (var admin = Kafka.admin()) {
            var dirs = admin.describeLogDirs(List.of(node)).allDescriptions().get().get(node);
            return dirs.entrySet().stream()
                .filter(dir -> dir.getValue().replicaInfos().entrySet().stream()
                    .anyMatch(one -> one.getKey().topic().equals(topic) && one.getValue().isFuture() == future))
                .map(Map.Entry::getKey).findFirst().orElse(null);
        }
    }

    /** From one log directory to another while it is written to, where the broker has two. */
    static void logDirs() throws Exception {
        String topic = Kafka.topic(1);
        String node = node();
        String first = dirOf(topic, false);
        withFile(planIn(topic, node, "/nowhere"), file -> {
            contains(run(REASSIGN, words("--execute --reassignment-json-file", file)).failed().text(), "LogDirNotFoundException");
            contains(said(run(REASSIGN, words("--verify --reassignment-json-file", file))),
                "Partition " + topic + "-0 on broker " + node + " is not being moved from log dir " + first + " to /nowhere.");
        });
        int id = Integer.parseInt(node);
        String second;
        try (var admin = Kafka.admin()) {
            var dirs = admin.describeLogDirs(List.of(id)).allDescriptions().get().get(id).keySet();
            second = dirs.stream().filter(dir -> !dir.equals(first)).findFirst().orElse(null);
        }
        if (second == null) {
            return;
        }
        try (var producer = Kafka.producer()) {
            for (int n = 0; n < 40; n++) {
                producer.send(new ProducerRecord<>(topic, new byte[100_000])).get();
            }
            String replica = topic + "-0-" + node;
            withFile(planIn(topic, node, second), file -> {
                contains(said(run(REASSIGN, words("--execute --replica-alter-log-dirs-throttle 1000 --reassignment-json-file", file))),
                    "Successfully started moving log directory to " + second + " for replica " + topic + "-0 with broker " + node);
                equal("is to be in", dirOf(topic, true), second);
                equal("is in", dirOf(topic, false), first);
                contains(said(run(REASSIGN, words("--verify --reassignment-json-file", file))),
                    "Reassignment of replica " + replica + " is still in progress.");
                contains(said(run("LogDirsCommand", words("--describe --topic-list", topic))), "\"isFuture\":true");
                contains(said(run(REASSIGN, words("--cancel --reassignment-json-file", file))), "None of the specified partition reassignments are active.");
                until("called off", () -> dirOf(topic, true) == null);
                contains(said(run(REASSIGN, words("--verify --reassignment-json-file", file))), "is not being moved from log dir");
                contains(said(run(REASSIGN, words("--execute --reassignment-json-file", file))), "Successfully started moving log directory");
                for (int n = 0; n < 200; n++) {
                    producer.send(new ProducerRecord<>(topic, new byte[1])).get();
                }
                until("moved", () -> run(REASSIGN, words("--verify --reassignment-json-file", file)).out()
                    .contains("Reassignment of replica " + replica + " completed successfully."));
            });
            equal("is in", dirOf(topic, false), second);
            equal("is to be in", dirOf(topic, true), null);
            producer.send(new ProducerRecord<>(topic, new byte[1])).get();
        }
        contains(said(run("GetOffsetShell", words("--topic", topic))), topic + ":0:241");
    }

    static void quorum() throws Exception {
        String node = node();
        String status = said(run("MetadataQuorumCommand", words("describe --status")));
        contains(status, "LeaderId: " + node + "\n");
        contains(status, "MaxFollowerLag: 0\n");
        contains(status, "CurrentVoters: [{\"id\": " + node + ", \"directoryId\": ");
        contains(status, "CurrentObservers: []");
        var replication = run("MetadataQuorumCommand", words("describe --replication")).succeeded().lines();
        equal("rows", replication.size(), 2);
        equal("this node leads", replication.get(1).replaceAll("[ \t]+", " ").matches(node + " \\S+ \\d+ 0 \\d+ \\d+ Leader ?"), true);
        contains(said(run("MetadataQuorumCommand", words("describe --replication --human-readable"))), " ms ago");
    }

    static void features() throws Exception {
        String described = said(run("FeatureCommand", "describe"));
        contains(described, "Feature: transaction.version SupportedMinVersion: 0 SupportedMaxVersion: 2 FinalizedVersionLevel: 2 Epoch: ");
        contains(described, "Feature: group.version SupportedMinVersion: 0 SupportedMaxVersion: 1 FinalizedVersionLevel: 1 Epoch: ");
        contains(described, "Feature: metadata.version SupportedMinVersion: 3.3-IV3 SupportedMaxVersion: 4.3-IV0 FinalizedVersionLevel: 4.3-IV0 ");
        // Other cases may run at the same time: nothing is really changed.
        contains(said(run("FeatureCommand", words("upgrade --feature transaction.version=2"))), "transaction.version was upgraded to 2.");
        contains(said(run("FeatureCommand", words("downgrade --feature transaction.version=1 --dry-run"))), "transaction.version can be downgraded to 1.");
        contains(said(run("FeatureCommand", words("disable --feature group.version --dry-run"))), "group.version can be disabled.");
        for (String[] refused : new String[][] {
            {"upgrade --feature transaction.version=3", "only supports versions 0-2"},
            {"upgrade --feature transaction.version=1 --dry-run", "Can't downgrade the version of this feature"},
            {"upgrade --feature nosuch.version=1", "does not support this feature."},
            {"downgrade --feature metadata.version=29", "Unsupported metadata.version downgrade from 30 to 29."},
            {"downgrade --feature metadata.version=1", "only supports versions 7-30"},
        }) {
            contains(run("FeatureCommand", words(refused[0])).failed().text(), refused[1]);
        }
    }

    static void allBrokers() throws Exception {
        String[] everybody = words("--entity-type brokers --entity-default");
        String set = "log.cleaner.backoff.ms=14321";
        run(CONFIGS, words(String.join(" ", everybody) + " --alter --add-config", set)).succeeded();
        until("the default", () -> run(CONFIGS, words(String.join(" ", everybody) + " --describe")).out()
            .contains(set + " sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:" + set + "}"));
        String[] one = words("--describe --all --entity-type brokers --entity-name", node());
        until("in force", () -> run(CONFIGS, one).out().contains(set + " sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:" + set
            + ", DEFAULT_CONFIG:log.cleaner.backoff.ms=15000}"));
        run(CONFIGS, words(String.join(" ", everybody) + " --alter --delete-config", "log.cleaner.backoff.ms")).succeeded();
        until("taken back", () -> !run(CONFIGS, words(String.join(" ", everybody) + " --describe")).out().contains(set));
        contains(run(CONFIGS, words(String.join(" ", everybody) + " --alter --add-config", "node.id=9")).failed().text(),
            "Cannot update these configs dynamically: [node.id]");
    }

    static void groupConfigs() throws Exception {
        String group = unique("tool-group-configs");
        String alter = "--entity-type groups --entity-name " + group + " --alter ";
        String[] describe = words("--entity-type groups --describe --entity-name", group);
        run(CONFIGS, words(alter + "--add-config", "consumer.session.timeout.ms=50000,consumer.heartbeat.interval.ms=6000")).succeeded();
        until("the group's own", () -> run(CONFIGS, describe).out().contains(
            "consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, "
                + "DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}"));
        // Without a name, those that have something of their own are asked for first.
        contains(said(run(CONFIGS, words("--describe --entity-type groups"))), "Dynamic configs for group " + group + " are:");
        contains(said(run(CONFIGS, words(String.join(" ", describe) + " --all"))), "consumer.assignment.interval.ms=1000");
        for (String[] refused : new String[][] {
            {"consumer.session.timeout.ms=1", "must be greater than or equal to group.consumer.min.session.timeout.ms"},
            {"consumer.heartbeat.interval.ms=99999", "must be less than or equal to group.consumer.max.heartbeat.interval.ms"},
            {"consumer.session.timeout.ms=x", "Not a number of type INT"},
            {"nosuch=1", "Unknown group config name: nosuch"},
        }) {
            contains(run(CONFIGS, words(alter + "--add-config", refused[0])).failed().text(), refused[1]);
        }
        run(CONFIGS, words(alter + "--delete-config", "consumer.session.timeout.ms,consumer.heartbeat.interval.ms")).succeeded();
        until("nothing of its own", () -> !run(CONFIGS, words("--describe --entity-type groups")).out().contains(group));
    }

    static void loggers() throws Exception {
        String loggers = "--entity-type broker-loggers --entity-name " + node();
        String before = said(run(CONFIGS, words("--describe " + loggers))).lines().filter(line -> line.startsWith(" root=")).findFirst()
            .orElseThrow(() -> new AssertionError("no root logger")).replaceAll(" root=([A-Z]+) .*", "$1");
        contains(said(run(CONFIGS, words("--describe " + loggers))), " root=" + before + " sensitive=false synonyms={}");
        run(CONFIGS, words("--alter " + loggers + " --add-config root=WARN")).succeeded();
        contains(said(run(CONFIGS, words("--describe " + loggers))), " root=WARN sensitive=false synonyms={}");
        contains(run(CONFIGS, words("--alter " + loggers + " --add-config nosuch=WARN")).failed().text(), "Invalid broker logger(s): nosuch");
        contains(run(CONFIGS, words("--alter " + loggers + " --add-config root=LOUD")).failed().text(),
            "Cannot set the log level of root to LOUD as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN");
        contains(run(CONFIGS, words("--alter " + loggers + " --delete-config root")).failed().text(),
            "Removing the log level of the root logger is not allowed");
        run(CONFIGS, words("--alter " + loggers + " --add-config root=" + before)).succeeded();
        contains(said(run(CONFIGS, words("--describe " + loggers))), " root=" + before + " ");
    }

    static void resetOptions() throws Exception {
        String topic = Kafka.topic(1);
        String group = unique("tool-reset-options");
        Kafka.send(Kafka.numbered(topic, 50));
        String reset = "--reset-offsets --group " + group + " --topic " + topic;
        String[] describe = words("--describe --group", group);
        // Only a plan, where nothing says to execute it.
        contains(said(run("consumer.group.ConsumerGroupCommand", words(reset + " --to-latest --dry-run"))), topic + " 0 50");
        contains(run("consumer.group.ConsumerGroupCommand", describe).text(), "not found");
        for (String[] step : new String[][] {
            {"--to-offset 7", "7"}, {"--to-offset 700", "50"}, {"--to-current", "50"}, {"--shift-by -1000", "0"}, {"--shift-by 3", "3"},
            {"--to-datetime 2020-01-01T00:00:00.000", "0"}, {"--to-datetime 2099-01-01T00:00:00.000", "50"}, {"--by-duration PT1H", "0"},
            {"--to-latest", "50"}, {"--to-earliest", "0"},
        }) {
            run("consumer.group.ConsumerGroupCommand", words(reset + " --execute " + step[0])).succeeded();
            contains(said(run("consumer.group.ConsumerGroupCommand", describe)), topic + " 0 " + step[1] + " 50");
        }
        contains(said(run("consumer.group.ConsumerGroupCommand", words(reset + " --to-offset 5 --export"))), topic + ",0,5");
        withFile(topic + ",0,9\n", file -> run("consumer.group.ConsumerGroupCommand",
            words("--reset-offsets --execute --group " + group + " --from-file", file)).succeeded());
        contains(said(run("consumer.group.ConsumerGroupCommand", describe)), topic + " 0 9 50");
        run("consumer.group.ConsumerGroupCommand", words("--reset-offsets --execute --all-topics --shift-by 1 --group", group)).succeeded();
        contains(said(run("consumer.group.ConsumerGroupCommand", describe)), topic + " 0 10 50");
    }

    static void transactions() throws Exception {
        String topic = Kafka.topic(1);
        String id = unique("tool-txn");
        try (var producer = Kafka.producer("transactional.id", id)) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, 0, null, "open".getBytes())).get();
            contains(said(run("TransactionsCommand", "list")), id + " ");
            contains(said(run("TransactionsCommand", words("list --transactional-id-pattern", id + ".*"))), " Ongoing");
            equal("none as old", run("TransactionsCommand", words("list --duration-filter 99999999")).succeeded().out().contains(id), false);
            String described = said(run("TransactionsCommand", words("describe --transactional-id", id)));
            contains(described, " Ongoing ");
            contains(described, topic + "-0");
            String[] partition = words("--partition 0 --topic", topic);
            String producers = said(run("TransactionsCommand", words("describe-producers " + String.join(" ", partition))));
            equal("a producer with an open transaction", producers.replaceAll("\n", " ").matches(".* \\d+ 0 -1 0 \\d+ 0 *"), true);
            // It is open and its coordinator knows it: it does not hang.
            String[] hanging = words("find-hanging --max-transaction-timeout 0 " + String.join(" ", partition));
            equal("hanging", run("TransactionsCommand", hanging).succeeded().lines().size(), 1);
            run("TransactionsCommand", words("forceTerminateTransaction --transactionalId", id)).succeeded();
            until("no transaction", () -> !said(run("TransactionsCommand", words("describe --transactional-id", id))).contains(" Ongoing "));
            Suite.refused(org.apache.kafka.common.KafkaException.class, () -> {
                producer.commitTransaction();
                return null;
            });
        }
        contains(run("TransactionsCommand", words("describe --transactional-id", id + "-nosuch")).failed().text(), "could not be found");
        contains(run("TransactionsCommand", words("list --transactional-id-pattern", "(")).failed().text(), "Failed to list transactions: ");
    }

    static void notThere() throws Exception {
        String topic = unique("tool-nosuch");
        String dirs = said(run("LogDirsCommand", words("--describe --topic-list", topic)));
        contains(dirs, "\"partitions\":[]");
        contains(run("LogDirsCommand", words("--describe --broker-list 99")).failed().text(), "99");
        run("GetOffsetShell", words("--topic", topic)).failed();
        equal("no such partition", run("GetOffsetShell", words("--topic-partitions", topic + ":7")).code() == 0, false);
    }
}
