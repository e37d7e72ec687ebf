//! Where partitions may be placed. Pure.

/// What is wrong with a manual assignment of one partition, where this node is the only broker.
pub(crate) fn misplaced(broker_ids: &[i32], node_id: i32) -> Option<String> {
    match broker_ids {
        [] => Some("The manual partition assignment includes an empty replica list.".into()),
        [only] if *only == node_id => None,
        ids => Some(match ids.iter().find(|id| **id != node_id) {
            Some(stranger) => {
                format!(
                    "The manual partition assignment includes broker {stranger}, but no such broker is registered."
                )
            }
            None => format!("The manual partition assignment includes the broker {node_id} more than once."),
        }),
    }
}
