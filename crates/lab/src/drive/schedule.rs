//! When records are due: fixed before the first is sent, and never moved by a slow answer.
//!
//! A load that waits for an answer before it asks again does not ask while the broker stalls, so the stall is seen once
//! instead of by every request that should have been made meanwhile: *coordinated omission*. Here a record's latency
//! counts from when it was due, whenever it could really be sent.
//!
//! ```text
//!   lanes  0    o-----------o-----------o          due(lane, k) = (k * lanes + lane) / rate
//!          1        o-----------o-----------o      together `rate` a second, evenly spaced
//!          2            o-----------o-----------o
//! ```

use std::time::Duration;

/// An even schedule over several senders.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Schedule {
    rate: f64,
    lanes: u64,
}

impl Schedule {
    /// `rate` records a second, dealt out to `lanes` senders in turn.
    pub(super) fn new(rate: f64, lanes: usize) -> Self {
        Self { rate, lanes: lanes.max(1) as u64 }
    }

    /// When the lane's `k`th record is due, from the start.
    pub(super) fn due(&self, lane: usize, k: u64) -> Duration {
        let place = k.saturating_mul(self.lanes).saturating_add(lane as u64);
        Duration::try_from_secs_f64(place as f64 / self.rate).unwrap_or(Duration::MAX)
    }

    /// How many of the lane's records are due by `since` the start, that moment included.
    pub(super) fn due_by(&self, lane: usize, since: Duration) -> u64 {
        let places = (since.as_secs_f64() * self.rate).floor() as u64;
        let count = (places + self.lanes).saturating_sub(lane as u64) / self.lanes;
        // Rounding may be off by one either way; `due` is what counts.
        match count {
            0 => u64::from(self.due(lane, 0) <= since),
            k if self.due(lane, k) <= since => k + 1,
            k if self.due(lane, k - 1) > since => k - 1,
            k => k,
        }
    }

    /// How many records the lane has in a run that lasts so long.
    pub(super) fn count(&self, lane: usize, length: Duration) -> u64 {
        let mut count = self.due_by(lane, length);
        while count > 0 && self.due(lane, count - 1) >= length {
            count -= 1;
        }
        count
    }
}

/// How late a record was sent by the sender's own fault: since it was due, or since the sender was `free` of the record
/// before. The rest of its lateness is the broker's.
pub(super) fn own_delay(due: Duration, free: Duration, sent: Duration) -> Duration {
    sent.saturating_sub(due.max(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_take_turns_and_keep_the_rate_together() {
        let schedule = Schedule::new(1000.0, 4);
        assert_eq!(schedule.due(0, 0), Duration::ZERO);
        assert_eq!(schedule.due(3, 0), Duration::from_millis(3));
        assert_eq!(schedule.due(1, 2), Duration::from_millis(9));
        let all: u64 = (0..4).map(|lane| schedule.count(lane, Duration::from_secs(2))).sum();
        assert_eq!(all, 2000);
    }

    #[test]
    fn what_is_due_by_a_time_is_due_then_and_the_next_is_not() {
        for (rate, lanes) in [(1000.0, 1), (333.3, 7), (1e6, 3), (0.5, 2)] {
            let schedule = Schedule::new(rate, lanes);
            for lane in 0..lanes {
                for millis in [0, 1, 2, 999, 1000, 12_345] {
                    let since = Duration::from_millis(millis);
                    let count = schedule.due_by(lane, since);
                    assert!(count == 0 || schedule.due(lane, count - 1) <= since, "{rate} {lane} {millis}");
                    assert!(schedule.due(lane, count) > since, "{rate} {lane} {millis}");
                }
            }
        }
    }

    #[test]
    fn a_stall_moves_no_due_time() {
        let schedule = Schedule::new(100.0, 1);
        // Nothing could be sent for a second: a hundred records are due at once, each since its own time.
        let due = schedule.due_by(0, Duration::from_secs(1));
        assert_eq!(due, 101);
        assert_eq!(schedule.due(0, 50), Duration::from_millis(500));
    }

    #[test]
    fn a_sender_is_late_by_itself_only_where_no_answer_kept_it() {
        let [due, free, sent] = [10, 40, 43].map(Duration::from_millis);
        assert_eq!(own_delay(due, free, sent), Duration::from_millis(3));
        assert_eq!(own_delay(due, Duration::ZERO, sent), Duration::from_millis(33));
        assert_eq!(own_delay(sent, free, due), Duration::ZERO);
    }
}
