//! Times that groups have set for themselves, in memory beside the store as topics' settings are: every heartbeat asks for
//! them, and is to wait neither for a disk nor for another thread.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use pagewire_metadata::{Catalog, CatalogError, model::ConfigScope};
use parking_lot::RwLock;
use tracing::warn;

use super::{Change, Cluster, OwnConfigs, Refused};
use crate::config::{BrokerConfig, OwnTimes};

/// The times of every group that has some of its own.
#[derive(Debug, Default)]
pub(crate) struct GroupSettings {
    of_groups: RwLock<HashMap<String, OwnTimes, RandomState>>,
}

impl GroupSettings {
    /// What the store knows. Says of which the broker would have others.
    pub(crate) async fn stored(catalog: &Catalog, config: &BrokerConfig) -> Result<Self, CatalogError> {
        let stored = Self::default();
        for (scope, (record, _)) in catalog.configs().await? {
            let ConfigScope::Group(group_id) = scope else { continue };
            stored.set(&group_id, &record.configs);
            for notice in config.consumer_groups.notices(stored.of(&group_id)) {
                warn!(group_id, "{notice}");
            }
        }
        Ok(stored)
    }

    /// Those of a group, whether it exists or not.
    pub(crate) fn of(&self, group_id: &str) -> OwnTimes {
        self.of_groups.read().get(group_id).copied().unwrap_or_default()
    }

    fn set(&self, group_id: &str, own: &OwnConfigs) {
        let times = OwnTimes::of(own);
        let mut of_groups = self.of_groups.write();
        if times == OwnTimes::default() {
            of_groups.remove(group_id);
        } else {
            of_groups.insert(group_id.to_owned(), times);
        }
    }
}

impl Cluster {
    /// With what groups have set, when a node starts.
    pub(crate) fn with_group_settings(self, group_settings: GroupSettings) -> Self {
        Self { group_settings, ..self }
    }

    pub(crate) const fn group_settings(&self) -> &GroupSettings {
        &self.group_settings
    }
}

impl Change {
    /// Replaces a group's own settings by what `wish` makes of them, and puts them in force.
    pub(crate) async fn group_configs(
        &self,
        group_id: &str,
        wish: impl FnOnce(&OwnConfigs) -> Result<OwnConfigs, Refused>,
    ) -> Result<(), Refused> {
        let (cluster, scope) = (self.cluster(), ConfigScope::Group(group_id.to_owned()));
        let changed = self.configs(&scope, wish).await;
        let stored = match &changed {
            Ok(own) => Some(own.clone()),
            // A write that failed may be in the store all the same.
            Err(_) => cluster.own_configs(&scope).await.ok(),
        };
        if let Some(own) = stored {
            cluster.group_settings.set(group_id, &own);
        }
        changed.map(drop)
    }
}
