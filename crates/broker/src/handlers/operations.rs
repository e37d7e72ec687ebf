//! What a client may do (KIP-430), as bit sets of Kafka's `AclOperation`. While there is no authoriser, anybody may do
//! everything.

/// "Not asked for".
pub(super) const NOT_ASKED: i32 = i32::MIN;
/// Everything that can be done to a topic.
pub(super) const OF_TOPICS: i32 = 0b1101_1111_1000;
/// Everything that can be done to the cluster.
pub(super) const OF_THE_CLUSTER: i32 = 0b1_1111_1010_0000;
