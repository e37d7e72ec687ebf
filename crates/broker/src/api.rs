//! The table of APIs: which versions are advertised, which are served, and who answers.
//!
//! Dispatch, the ApiVersions answer, the metrics and `docs/apis.md` all read this one table. The advertised ranges are
//! those of Apache Kafka 4.3.1, minimums included: old librdkafka enables features by looking for one exact old
//! version (KAFKA-18659), so a narrower range would silently switch off compression or groups.

use std::fmt::Write;

use pagewire_wire::ApiKey;

use crate::{
    handlers,
    net::Reply,
    request::{Call, respond, respond_or_close},
};

/// One API this broker speaks.
pub struct Api {
    /// Its key and name.
    pub key: ApiKey,
    /// Lowest version in the ApiVersions answer.
    pub min: i16,
    /// Highest version in the ApiVersions answer.
    pub max: i16,
    /// Lowest version that is served; advertised ones below it get UNSUPPORTED_VERSION (KIP-896: Produce 0-2).
    pub served_from: i16,
    /// What it is for, in one line of the API table.
    pub purpose: &'static str,
    pub(crate) run: fn(Call) -> Reply,
}

const fn api(key: ApiKey, versions: (i16, i16), purpose: &'static str, run: fn(Call) -> Reply) -> Api {
    Api { key, min: versions.0, max: versions.1, served_from: versions.0, purpose, run }
}

/// Every API, in the order of its key.
pub static APIS: &[Api] = &[
    Api { served_from: 3, ..api(ApiKey::Produce, (0, 13), "append record batches", handlers::produce::run) },
    api(ApiKey::Fetch, (4, 18), "read record batches", handlers::fetch::run),
    api(ApiKey::ListOffsets, (1, 11), "offsets by time", |c| respond(c, handlers::list_offsets::handle)),
    api(ApiKey::Metadata, (0, 13), "topics, partitions, leaders", |c| respond(c, handlers::metadata::handle)),
    api(ApiKey::OffsetCommit, (2, 10), "commit group offsets", |c| {
        respond(c, handlers::offset_commit::handle)
    }),
    api(ApiKey::OffsetFetch, (1, 10), "read group offsets", |c| {
        respond_or_close(c, handlers::offset_fetch::handle)
    }),
    api(ApiKey::FindCoordinator, (0, 6), "who coordinates a group or a transactional id", |c| {
        respond(c, handlers::find_coordinator::handle)
    }),
    api(ApiKey::JoinGroup, (0, 9), "join a classic group", |c| respond(c, handlers::join_group::handle)),
    api(ApiKey::Heartbeat, (0, 4), "stay in a classic group", |c| respond(c, handlers::heartbeat::handle)),
    api(ApiKey::LeaveGroup, (0, 5), "leave a classic group", |c| respond(c, handlers::leave_group::handle)),
    api(ApiKey::SyncGroup, (0, 5), "hand out assignments", |c| respond(c, handlers::sync_group::handle)),
    api(ApiKey::DescribeGroups, (0, 6), "members and states", |c| {
        respond_or_close(c, handlers::describe_groups::handle)
    }),
    api(ApiKey::ListGroups, (0, 5), "all groups", |c| respond(c, handlers::list_groups::handle)),
    api(ApiKey::ApiVersions, (0, 4), "what this broker speaks", |c| {
        respond(c, handlers::api_versions::handle)
    }),
    api(ApiKey::CreateTopics, (2, 7), "create topics", |c| respond(c, handlers::create_topics::handle)),
    api(ApiKey::DeleteTopics, (1, 6), "delete topics", |c| respond(c, handlers::delete_topics::handle)),
    api(ApiKey::DeleteRecords, (0, 2), "move the log start", |c| {
        respond(c, handlers::delete_records::handle)
    }),
    api(ApiKey::InitProducerId, (0, 5), "ids of producers", |c| {
        respond(c, handlers::init_producer_id::handle)
    }),
    api(ApiKey::OffsetForLeaderEpoch, (2, 4), "where an epoch ends", |c| {
        respond(c, handlers::offset_for_leader_epoch::handle)
    }),
    api(ApiKey::AddPartitionsToTxn, (0, 5), "partitions of a transaction", |c| {
        respond(c, handlers::add_partitions_to_txn::handle)
    }),
    api(ApiKey::AddOffsetsToTxn, (0, 4), "a group's offsets in a transaction", |c| {
        respond(c, handlers::add_offsets_to_txn::handle)
    }),
    api(ApiKey::EndTxn, (0, 5), "commit or abort", |c| respond(c, handlers::end_txn::handle)),
    api(ApiKey::WriteTxnMarkers, (1, 2), "end transactions in partitions", |c| {
        respond_or_close(c, handlers::write_txn_markers::handle)
    }),
    api(ApiKey::TxnOffsetCommit, (0, 5), "commit group offsets in a transaction", |c| {
        respond(c, handlers::txn_offset_commit::handle)
    }),
    api(ApiKey::DescribeAcls, (1, 3), "rules of access (there is no authorizer)", |c| {
        respond(c, handlers::acls::describe)
    }),
    api(ApiKey::CreateAcls, (1, 3), "rules of access (there is no authorizer)", |c| {
        respond(c, handlers::acls::create)
    }),
    api(ApiKey::DeleteAcls, (1, 3), "rules of access (there is no authorizer)", |c| {
        respond(c, handlers::acls::delete)
    }),
    api(ApiKey::DescribeConfigs, (1, 4), "settings and their sources", |c| {
        respond_or_close(c, handlers::describe_configs::handle)
    }),
    api(ApiKey::AlterConfigs, (0, 2), "replace settings", |c| respond(c, handlers::alter_configs::handle)),
    api(ApiKey::AlterReplicaLogDirs, (1, 2), "move partitions to other log directories", |c| {
        respond(c, handlers::alter_replica_log_dirs::handle)
    }),
    api(ApiKey::DescribeLogDirs, (1, 5), "disk use by partition", |c| {
        respond(c, handlers::describe_log_dirs::handle)
    }),
    api(ApiKey::CreatePartitions, (0, 3), "add partitions", |c| {
        respond(c, handlers::create_partitions::handle)
    }),
    api(ApiKey::DeleteGroups, (0, 2), "delete empty groups", |c| respond(c, handlers::delete_groups::handle)),
    api(ApiKey::ElectLeaders, (0, 2), "elect leaders (each partition has the one it can have)", |c| {
        respond(c, handlers::elect_leaders::handle)
    }),
    api(ApiKey::IncrementalAlterConfigs, (0, 1), "change settings", |c| {
        respond(c, handlers::incremental_alter_configs::handle)
    }),
    api(ApiKey::AlterPartitionReassignments, (0, 1), "move replicas (to the one broker)", |c| {
        respond(c, handlers::alter_partition_reassignments::handle)
    }),
    api(ApiKey::ListPartitionReassignments, (0, 0), "moves under way (none)", |c| {
        respond(c, handlers::list_partition_reassignments::handle)
    }),
    api(ApiKey::OffsetDelete, (0, 0), "forget committed offsets", |c| {
        respond(c, handlers::offset_delete::handle)
    }),
    api(ApiKey::DescribeQuorum, (0, 2), "who keeps the metadata (this node)", |c| {
        respond(c, handlers::describe_quorum::handle)
    }),
    api(ApiKey::UpdateFeatures, (0, 2), "change levels of features", |c| {
        respond(c, handlers::update_features::handle)
    }),
    api(ApiKey::DescribeCluster, (0, 2), "cluster id and nodes", |c| {
        respond(c, handlers::describe_cluster::handle)
    }),
    api(ApiKey::DescribeProducers, (0, 0), "producer state of a partition", |c| {
        respond_or_close(c, handlers::describe_producers::handle)
    }),
    api(ApiKey::DescribeTransactions, (0, 0), "state of transactions", |c| {
        respond_or_close(c, handlers::describe_transactions::handle)
    }),
    api(ApiKey::ListTransactions, (0, 2), "all transactional ids", |c| {
        respond_or_close(c, handlers::list_transactions::handle)
    }),
    api(ApiKey::ConsumerGroupHeartbeat, (0, 1), "be in a consumer group", |c| {
        respond(c, handlers::consumer_group_heartbeat::handle)
    }),
    api(ApiKey::ConsumerGroupDescribe, (0, 1), "members and assignments", |c| {
        respond_or_close(c, handlers::consumer_group_describe::handle)
    }),
    api(ApiKey::ListConfigResources, (0, 1), "what has settings", |c| {
        respond(c, handlers::list_config_resources::handle)
    }),
    api(ApiKey::DescribeTopicPartitions, (0, 0), "paged topic description", |c| {
        respond(c, handlers::describe_topic_partitions::handle)
    }),
];

/// Position of an API in [`APIS`], for per-API counters.
pub(crate) fn index_of(key: ApiKey) -> Option<usize> {
    APIS.binary_search_by_key(&key.code(), |api| api.key.code()).ok()
}

/// The page `docs/apis.md`.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(
        "# APIs\n\nWhat the broker advertises and serves. Made from the table in `crates/broker/src/api.rs`; `cargo xtask docs`\nwrites it, and a test compares.\n\n| key | name | advertised | served | purpose |\n|-|-|-|-|-|\n",
    );
    for api in APIS {
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {} | {} | {}-{} | {}-{} | {} |",
            api.key.code(),
            api.key.name(),
            api.min,
            api.max,
            api.served_from,
            api.max,
            api.purpose
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_key_so_that_lookups_find_every_api() {
        for (at, api) in APIS.iter().enumerate() {
            assert_eq!(index_of(api.key), Some(at), "{}", api.key.name());
        }
    }

    #[test]
    fn no_version_is_served_that_the_schema_does_not_know() {
        for api in APIS {
            let known = api.key.valid_versions();
            assert!(api.served_from >= *known.start() && api.max <= *known.end(), "{}", api.key.name());
        }
    }
}
