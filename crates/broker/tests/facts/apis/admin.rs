//! Questions of administrators: topics, settings, the cluster.

use pagewire_wire::{
    Str, Uuid,
    messages::{
        alter_configs_request::{self, AlterConfigsRequest},
        alter_partition_reassignments_request::{
            AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
        },
        alter_replica_log_dirs_request::{
            AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
        },
        create_acls_request::{AclCreation, CreateAclsRequest},
        create_partitions_request::{
            CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
        },
        create_topics_request::{
            CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
        },
        delete_acls_request::{DeleteAclsFilter, DeleteAclsRequest},
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        describe_acls_request::DescribeAclsRequest,
        describe_cluster_request::DescribeClusterRequest,
        describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource},
        describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest},
        describe_quorum_request::{self, DescribeQuorumRequest},
        describe_topic_partitions_request::{Cursor, DescribeTopicPartitionsRequest, TopicRequest},
        elect_leaders_request::{ElectLeadersRequest, TopicPartitions},
        incremental_alter_configs_request::{self, IncrementalAlterConfigsRequest},
        list_config_resources_request::ListConfigResourcesRequest,
        list_partition_reassignments_request::{
            ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
        },
        update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest},
    },
};

use super::{NO_ID, Probe};

pub(super) fn ask(probe: &mut Probe) {
    create(probe);
    grow(probe);
    describe_configs(probe);
    alter_configs(probe);
    cluster(probe);
    acls(probe);
    replicas(probe);
    features(probe);
    delete(probe);
}

fn create(probe: &mut Probe) {
    probe.ask_all(&CreateTopicsRequest::default());
    let topic = |name: &'static str| CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let assignment = |partition_index, broker_ids: &[i32]| CreatableReplicaAssignment {
        partition_index,
        broker_ids: broker_ids.to_vec(),
        ..Default::default()
    };
    let placed = |name, assignments| CreatableTopic {
        num_partitions: -1,
        replication_factor: -1,
        assignments,
        ..topic(name)
    };
    let set = |name: &'static str, value: Option<&'static str>| CreatableTopic {
        configs: vec![CreatableTopicConfig {
            name: name.into(),
            value: value.map(Str::from),
            ..Default::default()
        }],
        ..topic("set")
    };
    let topics = [
        vec![topic("one")],
        vec![topic("here"), topic("bad name"), topic(""), topic("twice"), topic("twice")],
        vec![CreatableTopic { num_partitions: -1, replication_factor: -1, ..topic("defaults") }],
        vec![CreatableTopic { num_partitions: 0, ..topic("none") }],
        vec![CreatableTopic { num_partitions: i32::MAX, ..topic("many") }],
        vec![CreatableTopic { replication_factor: 3, ..topic("replicated") }],
        vec![placed("placed", vec![assignment(0, &[1]), assignment(1, &[1])])],
        vec![placed("elsewhere", vec![assignment(0, &[7])])],
        vec![placed("gap", vec![assignment(1, &[1])])],
        vec![placed("nobody", vec![assignment(0, &[])])],
        vec![set("nosuch", Some("1"))],
        vec![set("retention.ms", None)],
        vec![set("retention.ms", Some("x"))],
        vec![set("retention.ms", Some("1000"))],
    ];
    for topics in topics {
        for validate_only in [true, false] {
            probe.ask_all(&CreateTopicsRequest {
                topics: topics.clone(),
                validate_only,
                ..Default::default()
            });
        }
    }
}

fn grow(probe: &mut Probe) {
    probe.ask_all(&CreatePartitionsRequest::default());
    let on = |ids: &[i32]| CreatePartitionsAssignment { broker_ids: ids.to_vec(), ..Default::default() };
    let assignments = [None, Some(vec![on(&[1])]), Some(vec![on(&[9])]), Some(vec![on(&[]), on(&[1])])];
    for name in ["here", "nowhere", ""] {
        for count in [-1, 0, 2, 3, 100_000] {
            for assignments in assignments.clone() {
                let topic =
                    CreatePartitionsTopic { name: name.into(), count, assignments, ..Default::default() };
                for topics in [vec![topic.clone()], vec![topic.clone(), topic.clone()]] {
                    probe.ask_all(&CreatePartitionsRequest {
                        topics,
                        validate_only: true,
                        ..Default::default()
                    });
                }
            }
        }
    }
    let grown = CreatePartitionsTopic { name: "here".into(), count: 3, ..Default::default() };
    probe.ask_all(&CreatePartitionsRequest { topics: vec![grown], ..Default::default() });
}

/// Resources that exist, that do not, and that cannot be.
const RESOURCES: [(i8, &str); 13] = [
    (2, "here"),
    (2, "nowhere"),
    (2, "bad name"),
    (2, ""),
    (4, "1"),
    (4, ""),
    (4, "9"),
    (4, "x"),
    (8, "1"),
    (16, "metrics"),
    (32, "g"),
    (32, ""),
    (0, "?"),
];

fn describe_configs(probe: &mut Probe) {
    probe.ask_all(&DescribeConfigsRequest::default());
    for (resource_type, name) in RESOURCES {
        for keys in [None, Some(vec![]), Some(vec![Str::from("retention.ms"), Str::from("nosuch")])] {
            let resource = DescribeConfigsResource {
                resource_type,
                resource_name: name.into(),
                configuration_keys: keys,
                ..Default::default()
            };
            let request = DescribeConfigsRequest {
                resources: vec![resource],
                include_synonyms: true,
                ..Default::default()
            };
            probe.ask_all(&request);
            probe.ask(&DescribeConfigsRequest { include_documentation: true, ..request });
        }
    }
}

fn alter_configs(probe: &mut Probe) {
    probe.ask_all(&AlterConfigsRequest::default());
    probe.ask_all(&IncrementalAlterConfigsRequest::default());
    for (resource_type, resource) in RESOURCES {
        for (name, value) in [("retention.ms", Some("5000")), ("nosuch", Some("1")), ("retention.ms", None)] {
            let entry = alter_configs_request::AlterableConfig {
                name: name.into(),
                value: value.map(Str::from),
                ..Default::default()
            };
            let whole = alter_configs_request::AlterConfigsResource {
                resource_type,
                resource_name: resource.into(),
                configs: vec![entry],
                ..Default::default()
            };
            for validate_only in [true, false] {
                let resources = vec![whole.clone(), whole.clone()];
                probe.ask_all(&AlterConfigsRequest { resources, validate_only, ..Default::default() });
            }
            for config_operation in [0, 1, 2, 3, 9] {
                let entry = incremental_alter_configs_request::AlterableConfig {
                    name: name.into(),
                    config_operation,
                    value: value.map(Str::from),
                    ..Default::default()
                };
                let single = incremental_alter_configs_request::AlterConfigsResource {
                    resource_type,
                    resource_name: resource.into(),
                    configs: vec![entry],
                    ..Default::default()
                };
                let resources = vec![single];
                probe.ask_all(&IncrementalAlterConfigsRequest { resources, ..Default::default() });
            }
        }
    }
}

fn acls(probe: &mut Probe) {
    probe.ask_all(&DescribeAclsRequest::default());
    probe.ask_all(&CreateAclsRequest::default());
    probe.ask_all(&CreateAclsRequest { creations: vec![AclCreation::default(); 2], ..Default::default() });
    probe.ask_all(&DeleteAclsRequest::default());
    probe.ask_all(&DeleteAclsRequest { filters: vec![DeleteAclsFilter::default(); 2], ..Default::default() });
}

fn cluster(probe: &mut Probe) {
    probe.ask_all(&DescribeClusterRequest::default());
    for endpoint_type in [1, 2, 9] {
        probe.ask(&DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            endpoint_type,
            ..Default::default()
        });
    }
    probe.ask(&DescribeClusterRequest { include_fenced_brokers: true, ..Default::default() });
    probe.ask_all(&AlterReplicaLogDirsRequest::default());
    let topics = ["here", "nowhere", "bad name"].map(|name| AlterReplicaLogDirTopic {
        name: name.into(),
        partitions: vec![0, 9, -1],
        ..Default::default()
    });
    let dirs =
        vec![AlterReplicaLogDir { path: "/nowhere".into(), topics: topics.to_vec(), ..Default::default() }];
    probe.ask_all(&AlterReplicaLogDirsRequest { dirs, ..Default::default() });
    probe.ask_all(&DescribeLogDirsRequest { topics: None, ..Default::default() });
    probe.ask_all(&DescribeLogDirsRequest { topics: Some(Vec::new()), ..Default::default() });
    let asked = |name: &'static str| DescribableLogDirTopic {
        topic: name.into(),
        partitions: vec![0, 9],
        ..Default::default()
    };
    let topics = Some(vec![asked("here"), asked("nowhere")]);
    probe.ask_all(&DescribeLogDirsRequest { topics, ..Default::default() });
    probe.ask_all(&ListPartitionReassignmentsRequest::default());
    let topic = ListPartitionReassignmentsTopics {
        name: "here".into(),
        partition_indexes: vec![0],
        ..Default::default()
    };
    probe.ask_all(&ListPartitionReassignmentsRequest { topics: Some(vec![topic]), ..Default::default() });
    probe.ask_all(&DescribeTopicPartitionsRequest::default());
    let topics = ["here", "nowhere", "bad name"];
    let topics = topics.map(|name| TopicRequest { name: name.into(), ..Default::default() }).to_vec();
    let cursor = Some(Cursor { topic_name: "here".into(), partition_index: 1, ..Default::default() });
    probe.ask_all(&DescribeTopicPartitionsRequest {
        topics,
        response_partition_limit: 1,
        cursor,
        ..Default::default()
    });
}

fn replicas(probe: &mut Probe) {
    for election_type in [0, 1, 7] {
        let none = ElectLeadersRequest { election_type, topic_partitions: None, ..Default::default() };
        probe.ask(&none);
        let named = |topic: &'static str| TopicPartitions {
            topic: topic.into(),
            partitions: vec![0, 9, -1, 0],
            ..Default::default()
        };
        let topic_partitions = Some(vec![named("here"), named("nowhere"), named(""), named("here")]);
        probe.ask(&ElectLeadersRequest { election_type, topic_partitions, ..Default::default() });
    }
    for replicas in [None, Some(vec![]), Some(vec![1]), Some(vec![1, 1]), Some(vec![-1]), Some(vec![2, 1])] {
        let partition = |partition_index| ReassignablePartition {
            partition_index,
            replicas: replicas.clone(),
            ..Default::default()
        };
        let topic = |name: &'static str| ReassignableTopic {
            name: name.into(),
            partitions: vec![partition(0), partition(9), partition(0)],
            ..Default::default()
        };
        let topics = vec![topic("here"), topic("nowhere"), topic("here")];
        probe.ask_all(&AlterPartitionReassignmentsRequest { topics: topics.clone(), ..Default::default() });
        let request = AlterPartitionReassignmentsRequest { topics, ..Default::default() };
        probe.ask(&AlterPartitionReassignmentsRequest { allow_replication_factor_change: false, ..request });
    }
    probe.ask_all(&DescribeQuorumRequest::default());
    for name in ["__cluster_metadata", "here", ""] {
        let partitions = vec![describe_quorum_request::PartitionData::default()];
        let topic =
            describe_quorum_request::TopicData { topic_name: name.into(), partitions, ..Default::default() };
        probe.ask_all(&DescribeQuorumRequest { topics: vec![topic], ..Default::default() });
    }
    probe.ask_all(&ListConfigResourcesRequest::default());
    for kinds in [&[2, 4, 8, 16, 32][..], &[2, 2], &[0], &[-1, 32]] {
        probe.ask(&ListConfigResourcesRequest { resource_types: kinds.to_vec(), ..Default::default() });
    }
}

fn features(probe: &mut Probe) {
    probe.ask_all(&UpdateFeaturesRequest::default());
    for feature in ["group.version", "transaction.version", "metadata.version", "nosuch", ""] {
        for max_version_level in [i16::MIN, 0, 1, 30, i16::MAX] {
            for upgrade_type in [0, 1, 2, 3, 9] {
                let update = FeatureUpdateKey {
                    feature: feature.into(),
                    max_version_level,
                    upgrade_type,
                    ..Default::default()
                };
                let feature_updates = vec![update.clone(), update];
                let request =
                    UpdateFeaturesRequest { feature_updates, validate_only: true, ..Default::default() };
                probe.ask(&request);
                probe.ask(&UpdateFeaturesRequest { validate_only: false, ..request });
            }
        }
    }
    // As it was, for what comes after.
    let up = |feature: &'static str, max_version_level| FeatureUpdateKey {
        feature: feature.into(),
        max_version_level,
        ..Default::default()
    };
    let feature_updates = vec![up("group.version", 1), up("transaction.version", 2)];
    probe.ask_all(&UpdateFeaturesRequest { feature_updates, ..Default::default() });
}

fn delete(probe: &mut Probe) {
    probe.ask_all(&DeleteTopicsRequest::default());
    let topic_names = vec!["nowhere".into(), "bad name".into(), "".into(), "one".into(), "one".into()];
    probe.ask(&DeleteTopicsRequest { topic_names, ..Default::default() });
    let here = probe.here;
    for topic_id in [NO_ID, Uuid::NIL, here] {
        for name in [None, Some(Str::from("nowhere")), Some(Str::from("here"))] {
            let topic = DeleteTopicState { name, topic_id, ..Default::default() };
            probe.ask(&DeleteTopicsRequest { topics: vec![topic], ..Default::default() });
        }
    }
}
