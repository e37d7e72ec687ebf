//! Where partitions may be placed. Pure.

use pagewire_wire::ErrorCode;

use super::Refused;

/// How many copies are asked for; -1 stands for the broker's default.
pub(crate) fn replication(factor: i16, default: i16) -> Result<i16, Refused> {
    match factor {
        -1 => Ok(default),
        factor if factor < 1 => {
            let message = "Replication factor must be larger than 0, or -1 to use the default value.";
            Err(Refused::new(ErrorCode::InvalidReplicationFactor, message))
        }
        factor => Ok(factor),
    }
}

/// Refuses to keep more copies than there are brokers, which is one.
pub(crate) fn check_replication(factor: i16) -> Result<(), Refused> {
    if factor == 1 {
        return Ok(());
    }
    let why = if factor < 1 {
        "the replication factor must be larger than 0.".to_owned()
    } else {
        format!(
            "The target replication factor of {factor} cannot be reached because only 1 broker(s) are registered."
        )
    };
    let message = format!("Unable to replicate the partition {factor} time(s): {why}");
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
        let check = |factor, default| replication(factor, default).and_then(check_replication);
        for (factor, default) in [(1, 3), (-1, 1)] {
            assert!(check(factor, default).is_ok());
        }
        for (factor, default) in [(2, 1), (-1, 3), (0, 1), (-2, 1), (-1, 0)] {
            let refused = check(factor, default).expect_err("not to be kept");
            assert_eq!(refused.code, ErrorCode::InvalidReplicationFactor);
        }
    }
}
