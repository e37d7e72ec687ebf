//! Levels of features that are other than a new cluster has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::codec::Record;

/// Written when somebody changes a level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeaturesRecord {
    /// Levels by Kafka's names. A feature that is not named has its highest level.
    pub levels: BTreeMap<String, i16>,
}

impl Record for FeaturesRecord {
    const WHAT: &'static str = "features";
    const VERSION: u32 = 1;
}
