//! Where partitions may be placed. Pure.

use pagewire_wire::ErrorCode;

use super::Refused;

/// Refuses to keep more copies than there are brokers, which is one. -1 stands for the broker's default.
pub(crate) fn check_replication(factor: i16, default: i16) -> Result<(), Refused> {
    let message = match if factor == -1 { default } else { factor } {
        1 => return Ok(()),
        factor if factor < 1 => {
            "Replication factor must be larger than 0, or -1 to use the default value.".to_owned()
        }
        factor => format!(
            "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered."
        ),
    };
    Err(Refused::new(ErrorCode::InvalidReplicationFactor, message))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_broker_keeps_one_copy_whoever_says_how_many() {
        for (factor, default) in [(1, 3), (-1, 1)] {
            assert!(check_replication(factor, default).is_ok());
        }
        for (factor, default) in [(2, 1), (-1, 3), (0, 1), (-2, 1)] {
            let refused = check_replication(factor, default).expect_err("not to be kept");
            assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
        }
    }
}
