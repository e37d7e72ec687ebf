//! Features and their levels (KIP-584): what clients may use of what this broker can do, and how that is changed.
//!
//! | feature               | level | means                                                                              |
//! |-----------------------|-------|------------------------------------------------------------------------------------|
//! | `group.version`       | 0     | consumer groups of the newer protocol (KIP-848) are refused                        |
//! |                       | 1     | they are served                                                                    |
//! | `metadata.version`    | 30    | that of Kafka 4.3: tools read it, nothing here goes by it, so it does not change   |
//! | `transaction.version` | 0, 1  | producers end transactions by the older rules                                      |
//! |                       | 2     | by the newer ones: an epoch of its own for each transaction (KIP-890)              |
//!
//! A new cluster has the highest level of each. What was changed is in the store; its version is the epoch by which clients
//! know older levels from newer ones.

use std::collections::BTreeMap;

use pagewire_metadata::{Revision, model::FeaturesRecord};
use pagewire_wire::ErrorCode;

use super::{Change, Cluster, Refused};

/// Whether groups of the newer protocol are served.
pub(crate) const GROUP_VERSION: &str = "group.version";
/// By which rules transactions end.
const TRANSACTION_VERSION: &str = "transaction.version";

/// A feature this broker has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Feature {
    /// Kafka's name.
    pub(crate) name: &'static str,
    /// The lowest level; 0 where it can be switched off.
    pub(crate) min: i16,
    /// The highest level.
    pub(crate) max: i16,
    /// Whether its level means anything here, so that it can be another.
    changes: bool,
}

/// All of them, by name.
pub(crate) const FEATURES: [Feature; 3] = [
    Feature { name: GROUP_VERSION, min: 0, max: 1, changes: true },
    Feature { name: "metadata.version", min: 7, max: 30, changes: false },
    Feature { name: TRANSACTION_VERSION, min: 0, max: 2, changes: true },
];

/// In which direction a level may change (kafka: FeatureUpdate.UpgradeType).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    /// Safely or not: nothing that is stored depends on a level.
    Down,
}

impl Direction {
    pub(crate) const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Up),
            2 | 3 => Some(Self::Down),
            _ => None,
        }
    }
}

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LevelWish<'w> {
    pub(crate) name: &'w str,
    pub(crate) level: i16,
    /// None is one that nobody knows.
    pub(crate) direction: Option<Direction>,
}

/// The levels in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Levels {
    changed: BTreeMap<String, i16>,
    epoch: Revision,
}

impl Levels {
    /// As they are stored.
    pub(crate) fn new((record, epoch): (FeaturesRecord, Revision)) -> Self {
        Self { changed: record.levels, epoch }
    }

    /// Rises with each change.
    pub(crate) const fn epoch(&self) -> Revision {
        self.epoch
    }

    /// That of one feature.
    pub(crate) fn of(&self, feature: &Feature) -> i16 {
        // A later program may have stored what this one does not have.
        let stored = self.changed.get(feature.name).copied();
        stored.map_or(feature.max, |level| level.clamp(feature.min, feature.max))
    }

    /// Whether groups of the newer protocol are served.
    pub(crate) fn serves_consumer_groups(&self) -> bool {
        FEATURES
            .iter()
            .find(|feature| feature.name == GROUP_VERSION)
            .is_none_or(|feature| self.of(feature) > 0)
    }

    /// By which rules transactions end.
    pub(crate) fn transaction_version(&self) -> i16 {
        FEATURES
            .iter()
            .find(|feature| feature.name == TRANSACTION_VERSION)
            .map_or(0, |feature| self.of(feature))
    }

    /// The levels that are stored when all wishes are granted; the first that cannot be refuses all. Of several wishes for one
    /// feature the last counts.
    fn with(&self, wishes: &[LevelWish<'_>], node_id: i32) -> Result<BTreeMap<String, i16>, Refused> {
        let mut next = self.changed.clone();
        let last: BTreeMap<&str, &LevelWish<'_>> = wishes.iter().map(|wish| (wish.name, wish)).collect();
        for wish in last.into_values() {
            let feature = self
                .granted(wish, node_id)
                .map_err(|message| Refused::new(ErrorCode::InvalidUpdateVersion, message))?;
            next.insert(feature.name.to_owned(), wish.level);
        }
        Ok(next)
    }

    /// In Kafka's order and words (kafka: FeatureControlManager.updateFeature), but for what is this broker's alone.
    fn granted(&self, wish: &LevelWish<'_>, node_id: i32) -> Result<&'static Feature, String> {
        let (name, level) = (wish.name, wish.level);
        let invalid = |why: &str| Err(format!("Invalid update version {level} for feature {name}. {why}"));
        let Some(direction) = wish.direction else {
            return invalid("The controller does not support the given upgrade type.");
        };
        if level < 0 {
            return invalid("A feature version cannot be less than 0.");
        }
        let Some(feature) = FEATURES.iter().find(|feature| feature.name == name) else {
            return invalid(&format!("Local controller {node_id} does not support this feature."));
        };
        let (min, max, current) = (feature.min, feature.max, self.of(feature));
        if !(min..=max).contains(&level) {
            return invalid(&format!("Local controller {node_id} only supports versions {min}-{max}"));
        }
        match direction {
            Direction::Up if level < current => invalid(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or unsafe \
                 downgrade.",
            ),
            Direction::Down if level > current => invalid("Can't downgrade to a newer version."),
            _ if level != current && !feature.changes => Err(format!(
                "Unsupported {name} downgrade from {current} to {level}. Nothing here is stored by it, so there is nothing to \
                 change."
            )),
            _ => Ok(feature),
        }
    }
}

impl Cluster {
    /// The levels of features in force now.
    pub(crate) fn features(&self) -> std::sync::Arc<Levels> {
        self.features.load_full()
    }

    /// Puts levels in force.
    pub(crate) fn set_features(&self, levels: Levels) {
        self.features.store(std::sync::Arc::new(levels));
    }

    /// Why not all of the wishes could be granted.
    pub(crate) fn check_features(&self, wishes: &[LevelWish<'_>]) -> Result<(), Refused> {
        self.features().with(wishes, self.identity.node_id).map(drop)
    }
}

impl Change {
    /// Grants all wishes, durably, or none.
    pub(crate) async fn features(&self, wishes: &[LevelWish<'_>]) -> Result<(), Refused> {
        let cluster = self.cluster();
        let (record, version) = cluster.catalog.features().await?;
        let stored = Levels::new((record, version));
        let levels = stored.with(wishes, cluster.identity.node_id)?;
        if levels == stored.changed {
            return Ok(());
        }
        let next = FeaturesRecord { levels };
        let epoch = cluster.catalog.replace_features(&next, version).await?;
        cluster.set_features(Levels::new((next, epoch)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Option<Direction> = Some(Direction::Up);
    const DOWN: Option<Direction> = Some(Direction::Down);

    fn wish(name: &str, level: i16, direction: Option<Direction>) -> LevelWish<'_> {
        LevelWish { name, level, direction }
    }

    fn refusal(levels: &Levels, wish: LevelWish<'_>) -> String {
        levels.with(&[wish], 1).expect_err("refused").message
    }

    #[test]
    fn a_level_goes_down_only_when_asked_to_go_down_and_up_only_when_asked_to_go_up() {
        let new = Levels::default();
        let lowered = new.with(&[wish("transaction.version", 1, DOWN)], 1).expect("lower");
        let lowered = Levels { changed: lowered, epoch: 5 };
        assert_eq!(FEATURES.map(|feature| lowered.of(&feature)), [1, 30, 1]);
        assert!(refusal(&new, wish("transaction.version", 1, UP)).contains("Can't downgrade the version"));
        assert!(refusal(&lowered, wish("transaction.version", 2, DOWN)).contains("to a newer version"));
        assert!(lowered.with(&[wish("transaction.version", 2, UP)], 1).is_ok());
        // The last one counts.
        let twice = [wish(GROUP_VERSION, 7, UP), wish(GROUP_VERSION, 0, DOWN)];
        assert_eq!(new.with(&twice, 1).expect("lower"), BTreeMap::from([(GROUP_VERSION.to_owned(), 0)]));
        // To stay is to change nothing, whichever way.
        for direction in [UP, DOWN] {
            assert!(new.with(&[wish("metadata.version", 30, direction)], 1).is_ok());
        }
    }

    #[test]
    fn one_wish_that_cannot_be_granted_refuses_all() {
        let new = Levels::default();
        let fine = wish(GROUP_VERSION, 0, DOWN);
        for (bad, why) in [
            (wish("nosuch.version", 1, UP), "does not support this feature"),
            (wish(GROUP_VERSION, 2, UP), "only supports versions 0-1"),
            (wish(GROUP_VERSION, -1, DOWN), "cannot be less than 0"),
            (wish(GROUP_VERSION, 0, None), "does not support the given upgrade type"),
            (wish("metadata.version", 29, DOWN), "nothing to change"),
        ] {
            let refused = new.with(&[fine, bad], 1).expect_err("refused");
            assert_eq!(refused.code, ErrorCode::InvalidUpdateVersion);
            assert!(refused.message.contains(why), "{refused}");
        }
    }

    #[test]
    fn a_level_that_a_later_program_stored_is_the_highest_that_this_one_has() {
        let stored = BTreeMap::from([("transaction.version".to_owned(), 9), ("later.version".to_owned(), 3)]);
        let levels = Levels { changed: stored, epoch: 1 };
        assert_eq!(FEATURES.map(|feature| levels.of(&feature)), [1, 30, 2]);
    }
}
