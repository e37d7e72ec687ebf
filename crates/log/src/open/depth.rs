//! How much of a log is looked at when it is opened, and what is known of it before.

use crate::open::witnesses::{Heard, Ragged};

/// What was known when the log was closed, or when the process that wrote it died.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Everything below was synced; 0 if nobody knows.
    pub(crate) recovery_point: i64,
    /// It is known, be it 0.
    pub(crate) known: bool,
    /// A checksum says that it is the one that was written.
    pub(crate) certain: bool,
    /// What the high watermark had reached, if that is known: another witness of what was there.
    pub(crate) high_watermark: Option<i64>,
    /// What others say of the log where its recovery point is not known.
    pub(crate) heard: Heard,
    /// The log was closed in order.
    pub(crate) clean: bool,
    /// The log is or was compacted: offsets may be missing rightly.
    pub(crate) compacted: bool,
    /// From here on none is, compacted or not.
    pub(crate) whole_from: i64,
}

impl Depth {
    /// Whether the recovery point is known.
    pub(crate) fn is_known(&self) -> bool {
        self.known
    }

    /// Whether `offset` may have been stable once.
    pub(crate) fn was_stable(&self, offset: i64) -> bool {
        !self.known || offset < self.recovery_point
    }

    /// Whether a segment that is followed by one at `next` is believed. One that ends at the recovery point may have
    /// been closed since: its records are stable, its indexes need not be.
    pub(crate) fn believes_closed(&self, next: i64) -> bool {
        self.clean || next < self.recovery_point
    }

    /// Up to where batches of the last segment, at `base`, can reach: after an orderly stop no further than both
    /// witnesses say, ever no further than its index can tell.
    pub(crate) fn limit(&self, base: i64) -> i64 {
        let end = base.saturating_add(i64::from(i32::MAX) + 1);
        if self.clean && self.high_watermark == Some(self.recovery_point) {
            end.min(self.recovery_point.max(base))
        } else {
            end
        }
    }

    /// The offset that the log is known to have reached on stable storage, if these bytes at its end are none of its batches;
    /// without a recovery point, the one up to which offsets were given out for all that is known.
    pub(crate) fn reached(&self, ragged: Option<Ragged>) -> i64 {
        if !self.known {
            return self.heard.given_out(ragged);
        }
        reached(Some(self.recovery_point), self.certain || ragged.is_some(), self.high_watermark)
    }
}

/// What a log is known to have reached on stable storage. One witness alone may be wrong, unless a checksum or damaged
/// bytes speak for the recovery point: it is written before the high watermark, so a kill between the two leaves that
/// behind.
pub(crate) fn reached(recovery_point: Option<i64>, certain: bool, high_watermark: Option<i64>) -> i64 {
    match (recovery_point, high_watermark) {
        (Some(point), _) if certain => point,
        (Some(point), Some(watermark)) => point.min(watermark),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Depth = Depth {
        recovery_point: 50,
        known: true,
        certain: true,
        high_watermark: Some(50),
        heard: Heard::NOBODY,
        clean: true,
        compacted: false,
        whole_from: i64::MIN,
    };

    const RAGGED: Option<Ragged> = Some(Ragged { offset: 9, bytes: 100 });

    #[test]
    fn one_witness_alone_moves_no_end() {
        let doubted = Depth { certain: false, ..KNOWN };
        assert_eq!(doubted.reached(None), 50);
        for other in [10, 90] {
            assert!(Depth { high_watermark: Some(other), ..doubted }.reached(None) <= 50);
            assert!(Depth { recovery_point: other, ..doubted }.reached(None) <= 50);
        }
        assert_eq!(Depth { high_watermark: None, ..doubted }.reached(None), 0);
    }

    #[test]
    fn a_checksum_or_damaged_bytes_speak_for_the_recovery_point() {
        for high_watermark in [None, Some(10), Some(90)] {
            let depth = Depth { high_watermark, ..KNOWN };
            assert_eq!(depth.reached(None), 50);
            assert_eq!(Depth { certain: false, ..depth }.reached(RAGGED), 50);
            assert_eq!(Depth { known: false, ..depth }.reached(RAGGED), 0);
        }
    }

    #[test]
    fn after_an_orderly_stop_no_batch_reaches_past_what_both_witnesses_say() {
        assert_eq!(KNOWN.limit(20), 50);
        let far = 20 + i64::from(i32::MAX) + 1;
        assert_eq!(Depth { high_watermark: Some(40), ..KNOWN }.limit(20), far);
        assert_eq!(Depth { clean: false, ..KNOWN }.limit(20), far);
    }

    #[test]
    fn without_a_recovery_point_everything_may_have_been_stable() {
        assert!(KNOWN.was_stable(49) && !KNOWN.was_stable(50));
        assert!(Depth { known: false, recovery_point: 0, ..KNOWN }.was_stable(1 << 40));
    }
}
