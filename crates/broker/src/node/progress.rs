//! What a start says of loading the logs: how far it is, now and then, and at the end what was done.

use std::{pin::pin, sync::Arc, time::Duration};

use pagewire_log::{LoadMeter, Loading};
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tracing::info;

use crate::plural::counted;

/// Between two lines about a start that takes long.
const EVERY: Duration = Duration::from_secs(5);
const MIB: u64 = 1 << 20;

/// Waits for `loading`, saying how far each directory is.
pub(super) async fn told<T>(meters: &[Arc<LoadMeter>], loading: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let mut every = interval_at(began + EVERY, EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut loading = pin!(loading);
    let loaded = loop {
        select! {
            loaded = &mut loading => break loaded,
            _ = every.tick() => meters.iter().for_each(|meter| info!("{}", so_far(meter))),
        }
    };
    for meter in meters {
        info!("{}", summary(meter, began.elapsed()));
    }
    loaded
}

fn so_far(meter: &LoadMeter) -> String {
    let (path, at) = (meter.path().display(), meter.look());
    let Loading { logs, logs_total, .. } = at;
    format!("{path}: {logs} of {logs_total} logs loaded{}", checked(&at))
}

/// After a crash: how much of what must be checked has been.
fn checked(at: &Loading) -> String {
    let Loading { bytes, bytes_total, .. } = *at;
    if bytes_total == 0 {
        return String::new();
    }
    let percent = u128::from(bytes) * 100 / u128::from(bytes_total);
    format!(", {} of {} MiB checked ({percent} %)", bytes / MIB, bytes_total.div_ceil(MIB))
}

fn summary(meter: &LoadMeter, took: Duration) -> String {
    let (path, seconds) = (meter.path().display(), took.as_secs_f64());
    let Loading { logs, checked, cuts, cut_bytes, rebuilt, .. } = meter.look();
    let if_any = |count: u64, text: String| if count > 0 { text } else { String::new() };
    let (logs, checked) = (counted(logs, "log"), counted(checked, "byte"));
    let cut = if_any(cuts, format!(", {} cut in {}", counted(cut_bytes, "byte"), counted(cuts, "place")));
    let rebuilt = if_any(rebuilt, format!(", {} rebuilt", counted(rebuilt, "derived file")));
    format!("{path}: {logs} loaded in {seconds:.1} s, {checked} checked{cut}{rebuilt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_checked_is_said_in_parts_of_all() {
        let at = |bytes, bytes_total| checked(&Loading { bytes, bytes_total, ..Loading::default() });
        assert_eq!(at(0, 0), "", "after an orderly stop there is nothing");
        assert_eq!(at(3 * MIB, 12 * MIB), ", 3 of 12 MiB checked (25 %)");
        assert_eq!(at(0, 5), ", 0 of 1 MiB checked (0 %)");
        assert_eq!(
            at(u64::MAX, u64::MAX),
            format!(", {0} of {1} MiB checked (100 %)", (1_u64 << 44) - 1, 1_u64 << 44)
        );
    }
}
