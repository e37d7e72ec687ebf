//! What an operator sets, under Kafka's names, and the limits that hold whatever was set.
//!
//! Every list the coordinator keeps has a bound here. Reaching one is an answer, never growth.

use crate::consumer::Assignor;
use crate::input::GroupTiming;

/// Settings of the group coordinator. Times are in milliseconds, sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `group.min.session.timeout.ms`
    pub min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub max_session_timeout_ms: i32,
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits for more members.
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`: members of one group.
    pub max_size: usize,
    /// How long a new member may wait in its first join before it counts as gone. Kafka fixes this at five minutes.
    pub new_member_join_timeout_ms: i32,
    /// `offset.metadata.max.bytes`, counted in UTF-16 units as Kafka counts it.
    pub offset_metadata_max: usize,
    /// `offsets.retention.minutes`, here in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval_ms: i64,
    /// What is set for consumer groups.
    pub consumer: ConsumerSettings,
    /// Bounds that are not Kafka's.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_session_timeout_ms: 6_000,
            max_session_timeout_ms: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: i32::MAX as usize,
            new_member_join_timeout_ms: 300_000,
            offset_metadata_max: 4_096,
            offsets_retention_ms: 10_080 * 60 * 1_000,
            offsets_retention_check_interval_ms: 600_000,
            consumer: ConsumerSettings::default(),
            limits: Limits::default(),
        }
    }
}

/// Settings of consumer groups (KIP-848). Times are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `group.consumer.session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`
    pub heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`: members of one group.
    pub max_size: usize,
    /// `group.consumer.assignors`: those that members may ask for; the first is used if none asks.
    pub assignors: Vec<Assignor>,
    /// `group.consumer.migration.policy`
    pub migration: Migration,
    /// `group.consumer.assignment.interval.ms`: a group is not assigned anew faster than this.
    pub assignment_interval_ms: i32,
    /// `group.consumer.regex.refresh.interval.ms`
    pub regex_refresh_interval_ms: i32,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 5_000,
            max_size: i32::MAX as usize,
            assignors: Assignor::ALL.to_vec(),
            migration: Migration::Bidirectional,
            assignment_interval_ms: 1_000,
            regex_refresh_interval_ms: 600_000,
        }
    }
}

impl ConsumerSettings {
    /// The times of a group that has no settings of its own.
    pub const fn timing(&self) -> GroupTiming {
        GroupTiming {
            session_timeout_ms: self.session_timeout_ms,
            heartbeat_interval_ms: self.heartbeat_interval_ms,
            assignment_interval_ms: self.assignment_interval_ms,
        }
    }
}

/// Which groups that have members may become groups of the other kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migration {
    /// Classic groups when a member of the consumer protocol joins, and consumer groups when the last of those goes.
    Bidirectional,
    /// Classic groups only.
    Upgrade,
    /// Consumer groups only.
    Downgrade,
    /// None.
    Disabled,
}

impl Migration {
    pub(crate) const fn upgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Upgrade)
    }

    pub(crate) const fn downgrades(self) -> bool {
        matches!(self, Self::Bidirectional | Self::Downgrade)
    }

    /// The policy of this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let all = [
            ("bidirectional", Self::Bidirectional),
            ("upgrade", Self::Upgrade),
            ("downgrade", Self::Downgrade),
            ("disabled", Self::Disabled),
        ];
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, policy)| policy)
    }
}

/// Bounds on memory that hold for every shard (one partition of `__consumer_offsets`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Groups of one shard; one more is answered GROUP_MAX_SIZE_REACHED (join) or INVALID_COMMIT_OFFSET_SIZE (commit).
    pub groups: usize,
    /// Members of one group whatever `group.max.size` says; answered GROUP_MAX_SIZE_REACHED.
    pub members: usize,
    /// Member ids of one group given out and not yet used; answered GROUP_MAX_SIZE_REACHED.
    pub pending_members: usize,
    /// Protocols one member may offer; answered INCONSISTENT_GROUP_PROTOCOL.
    pub protocols: usize,
    /// Sum of the protocol metadata of one member; answered INVALID_REQUEST.
    pub member_metadata_bytes: usize,
    /// Bytes of a group, member or instance id, protocol type or name, topic name; answered INVALID_REQUEST.
    pub name_bytes: usize,
    /// Bytes that the groups and offsets of one shard take in memory, about: ids, metadata, assignments, the texts of
    /// offsets, and the places of all of them in maps. Beyond it joins and assignments that take more are answered GROUP_MAX_SIZE_REACHED, commits
    /// INVALID_COMMIT_OFFSET_SIZE. What is in the log is loaded in any case.
    pub bytes: usize,
    /// Committed offsets of one shard; answered INVALID_COMMIT_OFFSET_SIZE.
    pub offsets: usize,
    /// Records of one append: larger clean-ups are cut into several.
    pub records_per_append: usize,
    /// Bytes of one append of a clean-up, or of what regular expressions stand for, so that the batch stays under
    /// `max.message.bytes`.
    pub append_bytes: usize,
    /// Regular expressions of one group; one more is answered GROUP_MAX_SIZE_REACHED.
    pub expressions: usize,
    /// Bytes of the record of one regular expression, with all names that it stands for. One that takes more stands for what
    /// it stood for before, which is said in the broker's log.
    pub record_bytes: usize,
    /// Groups and offsets that one part of a look through all of them goes through, about: for what expired, or for what
    /// was committed for deleted topics. Nothing else of the shard acts meanwhile, so this is how long others wait.
    pub look_steps: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            groups: 1 << 20,
            members: 1 << 16,
            pending_members: 1 << 14,
            protocols: 256,
            member_metadata_bytes: 8 << 20,
            name_bytes: 16 << 10,
            bytes: 256 << 20,
            offsets: 1 << 24,
            records_per_append: 2_000,
            append_bytes: 256 << 10,
            expressions: 1_000,
            record_bytes: 1 << 20,
            look_steps: 2_000,
        }
    }
}
