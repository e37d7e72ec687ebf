//! One file per API. A handler translates: wire message in, calls to partitions, cluster or coordinators, wire message
//! out. What it decides about is the protocol alone.
//!
//! The usual handler is `pub(crate) async fn handle(ctx: Context, request: XRequest) -> XResponse` and is entered into
//! the table of `api.rs` through `request::respond`; its first step (up to the first wait) runs in request order on
//! the connection's own thread, so it must not block: disk work that may take long goes to `ctx.broker.io()`. Errors of
//! the client become error codes in the response. Produce and Fetch, the hot paths, take the raw `Call` instead.

#![expect(
    clippy::needless_update,
    reason = "a message may grow a field with the next version of the protocol"
)]

pub(crate) mod acls;
pub(crate) mod add_offsets_to_txn;
pub(crate) mod add_partitions_to_txn;
pub(crate) mod alter_configs;
pub(crate) mod alter_partition_reassignments;
pub(crate) mod alter_replica_log_dirs;
pub(crate) mod api_versions;
pub(crate) mod consumer_group_describe;
pub(crate) mod consumer_group_heartbeat;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_groups;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod describe_cluster;
pub(crate) mod describe_configs;
pub(crate) mod describe_groups;
pub(crate) mod describe_log_dirs;
pub(crate) mod describe_producers;
pub(crate) mod describe_quorum;
pub(crate) mod describe_topic_partitions;
pub(crate) mod describe_transactions;
pub(crate) mod elect_leaders;
pub(crate) mod end_txn;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod heartbeat;
pub(crate) mod incremental_alter_configs;
pub(crate) mod init_producer_id;
pub(crate) mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_config_resources;
pub(crate) mod list_groups;
pub(crate) mod list_offsets;
pub(crate) mod list_partition_reassignments;
pub(crate) mod list_transactions;
pub(crate) mod metadata;
pub(crate) mod offset_commit;
pub(crate) mod offset_delete;
pub(crate) mod offset_fetch;
pub(crate) mod offset_for_leader_epoch;
mod operations;
pub(crate) mod produce;
mod repeated;
mod resources;
pub(crate) mod sync_group;
mod txn_error;
pub(crate) mod txn_offset_commit;
pub(crate) mod update_features;
pub(crate) mod write_txn_markers;
