package pagewire;

import static pagewire.Suite.contains;
import static pagewire.Suite.equal;
import static pagewire.Suite.refused;
import static pagewire.Suite.unique;
import static pagewire.Suite.until;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConfigEntry.ConfigSource;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicaAssignmentException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicIdException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;

/** Topics, settings, offsets and the rest of the Java admin client. */
final class Administration {
    private Administration() {}

    static void cluster() throws Exception {
        try (Admin admin = Kafka.admin()) {
            var cluster = admin.describeCluster();
            equal("a cluster id", cluster.clusterId().get().isEmpty(), false);
            equal("the controller is a node", cluster.nodes().get().contains(cluster.controller().get()), true);
            equal("a finalised epoch", admin.describeFeatures().featureMetadata().get().finalizedFeaturesEpoch().isPresent(), true);
        }
    }

    static void aclsWithoutAnAuthorizer() throws Exception {
        var rule = new AclBinding(new ResourcePattern(ResourceType.TOPIC, "t", PatternType.LITERAL),
            new AccessControlEntry("User:somebody", "*", AclOperation.READ, AclPermissionType.ALLOW));
        try (Admin admin = Kafka.admin()) {
            var described = refused(SecurityDisabledException.class, () -> admin.describeAcls(AclBindingFilter.ANY).values().get());
            equal("message", described.getMessage(), "No Authorizer is configured on the broker");
            List<Callable<?>> changes = List.of(
                () -> admin.createAcls(List.of(rule)).all().get(),
                () -> admin.deleteAcls(List.of(rule.toFilter())).all().get());
            for (var change : changes) {
                var refused = refused(SecurityDisabledException.class, change);
                equal("message", refused.getMessage(), "No Authorizer is configured.");
            }
        }
    }

    static void topics() throws Exception {
        String name = unique("java-topic");
        try (Admin admin = Kafka.admin()) {
            var created = admin.createTopics(List.of(new NewTopic(name, 3, (short) 1)));
            equal("partitions created", created.numPartitions(name).get(), 3);
            equal("replication factor", created.replicationFactor(name).get(), 1);
            Uuid id = created.topicId(name).get();
            Kafka.usable(admin, name, 3);
            var described = admin.describeTopics(TopicCollection.ofTopicIds(List.of(id))).allTopicIds().get().get(id);
            equal("found by id", described.name(), name);
            var again = refused(TopicExistsException.class, () -> admin.createTopics(List.of(new NewTopic(name, 3, (short) 1))).all().get());
            equal("message", again.getMessage(), "Topic '" + name + "' already exists.");
            admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get();
            until("the topic gone", () -> !admin.listTopics().names().get().contains(name));
            refused(UnknownTopicOrPartitionException.class, () -> admin.deleteTopics(List.of(name)).all().get());
            refused(UnknownTopicIdException.class, () -> admin.deleteTopics(TopicCollection.ofTopicIds(List.of(id))).all().get());
            refused(UnknownTopicOrPartitionException.class, () -> admin.describeTopics(List.of(name)).allTopicNames().get());
            var second = admin.createTopics(List.of(new NewTopic(name, Optional.empty(), Optional.empty()))).topicId(name).get();
            equal("the same id again", second.equals(id), false);
        }
    }

    static void refusedTopics() throws Exception {
        String name = unique("java-refused");
        try (Admin admin = Kafka.admin()) {
            refused(InvalidPartitionsException.class, () -> create(admin, new NewTopic(name, 0, (short) 1)));
            refused(InvalidReplicationFactorException.class, () -> create(admin, new NewTopic(name, 1, (short) 9)));
            refused(InvalidReplicaAssignmentException.class, () -> create(admin, new NewTopic(name, Map.of(0, List.of(999)))));
            refused(InvalidTopicException.class, () -> create(admin, new NewTopic("no spaces", 1, (short) 1)));
            var unknown = new NewTopic(name, 1, (short) 1).configs(Map.of("nosuch", "1"));
            var error = refused(InvalidConfigurationException.class, () -> create(admin, unknown));
            contains(error.getMessage(), "Unknown topic config name: nosuch");
            var small = new NewTopic(name, 1, (short) 1).configs(Map.of("segment.bytes", "1000"));
            error = refused(InvalidConfigurationException.class, () -> create(admin, small));
            contains(error.getMessage(), "Value must be at least 1048576");
            var only = new CreateTopicsOptions().validateOnly(true);
            admin.createTopics(List.of(new NewTopic(name, 1, (short) 1)), only).all().get();
            equal("created by validateOnly", admin.listTopics().names().get().contains(name), false);
        }
    }

    private static Object create(Admin admin, NewTopic topic) throws Exception {
        return admin.createTopics(List.of(topic)).all().get();
    }

    static void partitions() throws Exception {
        String topic = Kafka.topic(2);
        try (Admin admin = Kafka.admin()) {
            admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
            Kafka.usable(admin, topic, 5);
            var error = refused(InvalidPartitionsException.class, () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(2))).all().get());
            contains(error.getMessage(), "currently has 5 partition(s); 2 would not be an increase.");
            Kafka.send(List.of(new ProducerRecord<>(topic, 4, null, "v".getBytes())));
            equal("partition", Kafka.readAll(topic, 5, 1).get(0).partition(), 4);
            equal("reassignments", admin.listPartitionReassignments().reassignments().get().size(), 0);
        }
    }

    static void configs() throws Exception {
        String topic = Kafka.topic(1, "retention.ms", "3600000");
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        try (Admin admin = Kafka.admin()) {
            Config found = describe(admin, resource);
            equal("a set value", found.get("retention.ms").value(), "3600000");
            equal("its source", found.get("retention.ms").source(), ConfigSource.DYNAMIC_TOPIC_CONFIG);
            equal("a default", found.get("max.message.bytes").source(), ConfigSource.DEFAULT_CONFIG);
            equal("type", found.get("max.message.bytes").type(), ConfigEntry.ConfigType.INT);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(
                new AlterConfigOp(new ConfigEntry("max.message.bytes", "2000000"), OpType.SET),
                new AlterConfigOp(new ConfigEntry("cleanup.policy", "compact"), OpType.APPEND),
                new AlterConfigOp(new ConfigEntry("retention.ms", ""), OpType.DELETE)))).all().get();
            until("the altered value", () -> "2000000".equals(describe(admin, resource).get("max.message.bytes").value()));
            found = describe(admin, resource);
            equal("a list", found.get("cleanup.policy").value(), "delete,compact");
            equal("a value taken back", found.get("retention.ms").source(), ConfigSource.DEFAULT_CONFIG);
            var names = found.get("max.message.bytes").synonyms().stream().map(ConfigEntry.ConfigSynonym::name).toList();
            equal("synonyms", names, List.of("max.message.bytes", "message.max.bytes"));
            var bad = Map.of(resource, (java.util.Collection<AlterConfigOp>) List.of(
                new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), OpType.SET)));
            refused(InvalidConfigurationException.class, () -> admin.incrementalAlterConfigs(bad).all().get());
            var missing = new ConfigResource(ConfigResource.Type.TOPIC, unique("java-nosuch"));
            refused(UnknownTopicOrPartitionException.class, () -> admin.describeConfigs(List.of(missing)).all().get());
        }
    }

    private static Config describe(Admin admin, ConfigResource resource) throws Exception {
        var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
        return admin.describeConfigs(List.of(resource), options).all().get().get(resource);
    }

    static void brokerConfigs() throws Exception {
        try (Admin admin = Kafka.admin()) {
            int node = admin.describeCluster().controller().get().id();
            var found = describe(admin, new ConfigResource(ConfigResource.Type.BROKER, Integer.toString(node)));
            for (String name : List.of("node.id", "log.segment.bytes", "message.max.bytes", "num.partitions", "log.retention.ms")) {
                equal(name + " is described", found.get(name) != null, true);
            }
            equal("node.id", found.get("node.id").value(), Integer.toString(node));
            equal("node.id can be altered", found.get("node.id").isReadOnly(), true);
        }
    }

    static void offsets() throws Exception {
        String topic = Kafka.topic(1);
        long start = System.currentTimeMillis() - 60_000;
        for (long after : List.of(0L, 9000L, 2000L)) {
            Kafka.send(List.of(new ProducerRecord<>(topic, 0, start + after, null, "v".getBytes())));
        }
        var partition = new TopicPartition(topic, 0);
        try (Admin admin = Kafka.admin()) {
            equal("earliest", ask(admin, partition, OffsetSpec.earliest()), 0L);
            equal("latest", ask(admin, partition, OffsetSpec.latest()), 3L);
            equal("largest timestamp", ask(admin, partition, OffsetSpec.maxTimestamp()), 1L);
            equal("by time", ask(admin, partition, OffsetSpec.forTimestamp(start + 1)), 1L);
            equal("after the last", ask(admin, partition, OffsetSpec.forTimestamp(start + 60_000_000)), -1L);
            equal("earliest local", ask(admin, partition, OffsetSpec.earliestLocal()), 0L);
            equal("latest tiered", ask(admin, partition, OffsetSpec.latestTiered()), -1L);
        }
    }

    private static long ask(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(partition, spec)).partitionResult(partition).get().offset();
    }

    static void deleteRecords() throws Exception {
        String topic = Kafka.topic(1);
        var partition = new TopicPartition(topic, 0);
        Kafka.send(Kafka.numbered(topic, 100));
        try (Admin admin = Kafka.admin()) {
            var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(37)));
            equal("low watermark", deleted.lowWatermarks().get(partition).get().lowWatermark(), 37L);
            equal("first left", Kafka.readAll(topic, 1, 63).get(0).offset(), 37L);
            refused(OffsetOutOfRangeException.class, () -> admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(1000))).all().get());
            deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(-1)));
            equal("everything", deleted.lowWatermarks().get(partition).get().lowWatermark(), 100L);
        }
    }

    static void logDirs() throws Exception {
        String topic = Kafka.topic(1);
        Kafka.send(Kafka.numbered(topic, 100));
        try (Admin admin = Kafka.admin()) {
            int node = admin.describeCluster().controller().get().id();
            var directories = admin.describeLogDirs(Set.of(node)).allDescriptions().get().get(node);
            long size = directories.values().stream()
                .flatMap(d -> d.replicaInfos().entrySet().stream())
                .filter(e -> e.getKey().topic().equals(topic))
                .mapToLong(e -> e.getValue().size()).sum();
            equal("the topic has a size", size > 100, true);
            equal("the volume has a size", directories.values().iterator().next().totalBytes().isPresent(), true);
        }
    }

    static void producers() throws Exception {
        String topic = Kafka.topic(1);
        Kafka.send(Kafka.numbered(topic, 10));
        var partition = new TopicPartition(topic, 0);
        try (Admin admin = Kafka.admin()) {
            var active = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
            equal("producers", active.size(), 1);
            equal("last sequence", active.get(0).lastSequence(), 9);
        }
    }
}
