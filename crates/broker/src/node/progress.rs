//! What a start says of loading the logs: how far it is, now and then, and at the end what was done.

use std::{pin::pin, sync::Arc, time::Duration};

use pagewire_log::{LoadMeter, Loading};
use tokio::{
    select,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tracing::{info, warn};

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
    let mut before: Vec<Option<Loading>> = meters.iter().map(|_| None).collect();
    let loaded = loop {
        select! {
            loaded = &mut loading => break loaded,
            _ = every.tick() => {
                for (meter, before) in meters.iter().zip(&mut before) {
                    let now = meter.look();
                    tell(meter, &now, before.as_ref());
                    *before = Some(now);
                }
            }
        }
    };
    for meter in meters {
        info!("{}", summary(meter, began.elapsed()));
    }
    loaded
}

fn tell(meter: &LoadMeter, now: &Loading, before: Option<&Loading>) {
    let path = meter.path().display();
    if is_waited_for(now, before) {
        warn!("{path}: {}, and nothing since the last line: the start waits for its disk", so_far(now));
    } else {
        info!("{path}: {}", so_far(now));
    }
}

/// Whether it is worked on and nothing came of that since the last look.
fn is_waited_for(now: &Loading, before: Option<&Loading>) -> bool {
    now.is_at_it && before == Some(now)
}

fn so_far(at: &Loading) -> String {
    format!("{} of {} logs loaded{}", at.logs, at.logs_total, checked(at))
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
    fn a_directory_at_which_nothing_goes_on_is_said_to_be_waited_for() {
        let at = |logs, is_at_it| Loading { logs, logs_total: 3, is_at_it, ..Loading::default() };
        assert!(is_waited_for(&at(1, true), Some(&at(1, true))));
        assert!(!is_waited_for(&at(1, true), None) && !is_waited_for(&at(2, true), Some(&at(1, true))));
        assert!(!is_waited_for(&at(3, false), Some(&at(3, false))), "another one is");
    }

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
