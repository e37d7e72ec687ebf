//! Records that a reader of committed ones does not see because a transaction is open: told when the reading ends, for an end
//! in silence looks like the end of the log.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Plan;
use crate::client::offsets::{LATEST, READ_COMMITTED, READ_UNCOMMITTED};
use crate::client::{Client, Error, Place};
use crate::output::complain;

/// Partitions that are told one by one.
const TOLD_MAX: usize = 8;
/// Whoever ends it does not wait for this.
const LOOK: Duration = Duration::from_secs(2);

/// Says on standard error which of the partitions hold more than could be read. That it cannot be found out is no failure:
/// nothing that was asked for is missing.
pub(super) async fn tell(client: &mut Client, plan: &Plan, places: &[Place]) {
    if plan.isolation != READ_COMMITTED || plan.left == Some(0) {
        return;
    }
    match tokio::time::timeout(LOOK, ends(client, places)).await {
        Ok(Ok((committed, all))) => lines(&committed, &all).iter().for_each(complain),
        Ok(Err(error)) => tracing::debug!(%error, "whether a transaction is open is not known"),
        Err(_) => tracing::debug!("whether a transaction is open is not known in time"),
    }
}

type Ends = BTreeMap<Place, i64>;

/// Where readers of committed records end, and where the partitions do. That is asked first, lest what is produced in between
/// look as if it were held back.
async fn ends(client: &mut Client, places: &[Place]) -> Result<(Ends, Ends), Error> {
    let wanted: Ends = places.iter().map(|place| (place.clone(), LATEST)).collect();
    let all = client.offsets(&wanted, READ_UNCOMMITTED).await?;
    let committed = client.offsets(&wanted, READ_COMMITTED).await?;
    Ok((committed, all))
}

fn lines(committed: &Ends, all: &Ends) -> Vec<String> {
    let held = committed.iter().filter(|(place, end)| all.get(*place).is_some_and(|all| all > *end));
    let mut lines: Vec<String> = held
        .map(|(place, end)| {
            format!(
                "{place}: an open transaction holds back the records from offset {end} on (--isolation uncommitted shows them)"
            )
        })
        .collect();
    if lines.len() > TOLD_MAX {
        let more = lines.len() - TOLD_MAX;
        lines.truncate(TOLD_MAX);
        lines.push(format!("open transactions hold back records of {more} more partitions"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(of: impl Fn(i32) -> i64, count: i32) -> Ends {
        (0..count).map(|partition| (Place::new("t", partition), of(partition))).collect()
    }

    #[test]
    fn only_partitions_that_hold_more_are_told_and_of_many_some() {
        let told = lines(&ends(|_| 5, 2), &ends(|partition| 5 + i64::from(partition), 2));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("t [1]: ") && told[0].contains("from offset 5 on"), "{told:?}");
        let told = lines(&ends(|_| 5, 20), &ends(|_| 6, 20));
        assert_eq!(told.len(), TOLD_MAX + 1);
        assert!(told[TOLD_MAX].contains("12 more"), "{told:?}");
    }
}
