//! What is not measured any more, and why. An error may be of one link or of one state of the file, so only that is
//! given up; a way that the kernel refuses is given up everywhere, since another that stands in for it would only be
//! measured twice.

use super::matrix::Setting;
use crate::measure::way::Way;
use crate::record::{Link, Residency};
use crate::watch::Watch;

/// Why there is no sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// The kernel does not send this way.
    Refused(String),
    /// This once it failed.
    Failed(String),
}

/// What is left out.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    refused: Vec<Way>,
    failed: Vec<(Way, Link, Residency)>,
    residencies: Vec<(Link, Residency)>,
}

impl Skipped {
    /// Whether `setting` is not to be measured.
    pub(super) fn has(&self, setting: Setting) -> bool {
        let Setting { way, link, residency, .. } = setting;
        self.refused.contains(&way)
            || self.failed.contains(&(way, link, residency))
            || self.lacks(link, residency)
    }

    /// Whether the file cannot be brought into this state here.
    pub(super) fn lacks(&self, link: Link, residency: Residency) -> bool {
        self.residencies.contains(&(link, residency))
    }

    /// Gives up what `missing` is about, and says so.
    pub(super) fn give_up(&mut self, setting: Setting, missing: &Missing, watch: &mut dyn Watch) {
        let Setting { way, link, residency, .. } = setting;
        match missing {
            Missing::Refused(why) => {
                self.refused.push(way);
                watch.note(&format!("{}: {why}; left out", way.name()));
            }
            Missing::Failed(why) => {
                self.failed.push((way, link, residency));
                let (way, link, residency) = (way.name(), link.name(), residency.name());
                watch.note(&format!("{way} over {link}, {residency}: {why}; left out"));
            }
        }
    }

    /// Gives up a state that the file cannot be brought into, for all ways over this link, and says so.
    pub(super) fn give_up_all(&mut self, link: Link, residency: Residency, why: &str, watch: &mut dyn Watch) {
        self.residencies.push((link, residency));
        watch.note(&format!("{}, {}: {why}; left out", link.name(), residency.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Receiver;
    use crate::watch::Nobody;

    const HOT: Setting = Setting {
        way: Way::Auto,
        bytes: 1,
        residency: Residency::Hot,
        receiver: Receiver::Drain,
        link: Link::Loopback,
    };
    const COLD: Setting = Setting { residency: Residency::Cold, ..HOT };

    fn after(missing: &Missing) -> Skipped {
        let mut skipped = Skipped::default();
        skipped.give_up(COLD, missing, &mut Nobody);
        skipped
    }

    #[test]
    fn an_error_takes_only_its_link_and_residency_away() {
        let skipped = after(&Missing::Failed("no".into()));
        assert!(skipped.has(COLD) && skipped.has(Setting { bytes: 9, ..COLD }));
        assert!(!skipped.has(HOT) && !skipped.has(Setting { link: Link::Veth, ..COLD }));
        assert!(!skipped.has(COLD.by(Way::FLOOR)));
    }

    #[test]
    fn a_refusal_takes_the_way_away_everywhere() {
        let skipped = after(&Missing::Refused("no".into()));
        assert!(skipped.has(HOT) && skipped.has(Setting { link: Link::Veth, ..COLD }));
        assert!(!skipped.has(HOT.by(Way::FLOOR)));
    }

    #[test]
    fn what_cannot_be_cold_on_a_link_is_still_hot_there() {
        let mut skipped = Skipped::default();
        skipped.give_up_all(Link::Loopback, Residency::Cold, "in memory", &mut Nobody);
        assert!(skipped.has(COLD) && skipped.has(COLD.by(Way::FLOOR)) && !skipped.has(HOT));
        assert!(
            skipped.lacks(Link::Loopback, Residency::Cold) && !skipped.lacks(Link::Veth, Residency::Cold)
        );
    }
}
