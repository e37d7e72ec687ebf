//! Settings changed while running: kept in the store, put in force here.
//!
//! A change is checked as a whole before it is stored, so that what is stored can always be put in force; values a
//! later version refuses are passed over at the start with a warning.

use std::collections::BTreeMap;

use pagewire_metadata::{
    Catalog, CatalogError, Listing, StoreError,
    model::{ConfigRecord, ConfigScope, keys},
};
use pagewire_wire::ErrorCode;
use tracing::warn;

use super::{Change, Cluster, Refused};
use crate::config::BrokerConfig;

/// A resource's own settings.
pub(crate) type OwnConfigs = BTreeMap<String, String>;

/// `config` with what was changed while running, as a new start must find it.
pub(crate) async fn with_stored(
    catalog: &Catalog,
    config: BrokerConfig,
) -> Result<BrokerConfig, CatalogError> {
    let all_brokers = catalog.config(&ConfigScope::BrokerDefault).await?.0.configs;
    let this_broker = catalog.config(&ConfigScope::Broker(config.node_id)).await?.0.configs;
    if all_brokers.is_empty() && this_broker.is_empty() {
        return Ok(config);
    }
    match config.with_stored(all_brokers, this_broker) {
        Ok((changed, notices)) => {
            for notice in notices {
                warn!("{notice}");
            }
            Ok(changed)
        }
        Err(errors) => {
            warn!(%errors, "settings changed while running no longer fit and are passed over");
            Ok(config)
        }
    }
}

impl Cluster {
    /// The own settings of a scope.
    pub(crate) async fn own_configs(&self, scope: &ConfigScope) -> Result<OwnConfigs, Refused> {
        Ok(self.catalog.config(scope).await?.0.configs)
    }
}

impl Change {
    /// Replaces the own settings of a scope by what `wish` makes of them.
    pub(crate) async fn configs(
        &self,
        scope: &ConfigScope,
        wish: impl FnOnce(&OwnConfigs) -> Result<OwnConfigs, Refused>,
    ) -> Result<OwnConfigs, Refused> {
        let catalog = &self.cluster().catalog;
        let (record, version) = catalog.config(scope).await?;
        let configs = wish(&record.configs)?;
        if configs != record.configs {
            let next = ConfigRecord { configs: configs.clone() };
            let stored = catalog.replace_config(scope, &next, version).await;
            stored.map_err(|error| Refused::from(error).if_too_large(ErrorCode::InvalidConfig))?;
        }
        Ok(configs)
    }

    /// All that is stored, but for topics whose logs are being made: nobody has seen those yet.
    pub(crate) async fn metadata(&self) -> Result<Listing, StoreError> {
        let mut all = self.cluster().catalog.store().list("").await?;
        let image = self.cluster().image();
        let is_shown =
            |key: &str| key.strip_prefix(keys::TOPICS).is_none_or(|name| image.topic(name).is_some());
        all.entries.retain(|row| is_shown(&row.key));
        Ok(all)
    }

    /// Puts the broker's settings in force, for all topics too.
    pub(crate) async fn put_broker_config_in_force(&self, next: BrokerConfig) -> Result<(), Refused> {
        self.broker.set_config(next);
        self.refresh_topics().await;
        Ok(())
    }
}
