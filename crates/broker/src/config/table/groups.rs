//! Consumer groups and their committed offsets.

use crate::config::definition::Kind::{Int, List, Long};
use crate::config::definition::Rule::{Any, Min, OneOf};
use crate::config::definition::Setting as S;

/// Classic groups and committed offsets.
pub(super) static GROUPS: &[S] = &[
    S::new("group.min.session.timeout.ms", Int, Some("6000"), Any)
        .doc("Shortest session timeout a member may ask for, in milliseconds."),
    S::new("group.max.session.timeout.ms", Int, Some("1800000"), Any)
        .doc("Longest session timeout a member may ask for, in milliseconds."),
    S::new("group.initial.rebalance.delay.ms", Int, Some("3000"), Any)
        .doc("Milliseconds an empty group waits for further members before its first rebalance."),
    S::new("group.max.size", Int, Some("2147483647"), Min(1)).doc("Most members in one group."),
    S::new("offset.metadata.max.bytes", Int, Some("4096"), Any)
        .doc("Longest text a client may store beside an offset, in bytes."),
    S::new("offsets.retention.minutes", Int, Some("10080"), Min(1))
        .doc("Minutes after which the offsets of an empty group are forgotten."),
    S::new("offsets.retention.check.interval.ms", Long, Some("600000"), Min(1))
        .doc("Milliseconds between two looks for offsets to forget."),
    S::new("offsets.topic.num.partitions", Int, Some("50"), Min(1))
        .doc("Partitions of `__consumer_offsets`, fixed when it is created."),
    S::new("offsets.topic.segment.bytes", Int, Some("104857600"), Min(1))
        .doc("Segment size in bytes of `__consumer_offsets`."),
    S::new("offsets.topic.compression.codec", Int, Some("0"), Any)
        .not_yet()
        .doc("Codec of `__consumer_offsets` by number: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd."),
    S::new("offsets.commit.timeout.ms", Int, Some("5000"), Min(1)).doc("Milliseconds a commit may take."),
    S::new(
        "group.coordinator.rebalance.protocols",
        List,
        Some("classic,consumer,streams"),
        OneOf(&["consumer", "classic", "share", "streams"]),
    )
    .doc(
        "Kinds of groups that are served. Without `consumer`, members of that protocol are refused; `classic` cannot be \
         left out; `share` and `streams` are not served yet, whatever is set here.",
    ),
];
