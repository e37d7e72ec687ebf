//! A setting of a broker that runs, changed.

use anyhow::{Result, ensure};
use pagewire_lab::drive::client::Connection;
use pagewire_wire::Str;
use pagewire_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

pub(crate) const VERSION: i16 = 1;

/// How many records a log takes until it is synced.
pub(crate) const FLUSH_MESSAGES: &str = "log.flush.interval.messages";

/// Kinds of resources.
pub(crate) const OF_TOPIC: i8 = 2;
const OF_BROKERS: i8 = 4;
/// What is done to a setting of one.
pub(crate) const SET: i8 = 0;
pub(crate) const DELETE: i8 = 1;

/// A setting that is changed.
pub(crate) struct Change {
    pub(crate) kind: i8,
    pub(crate) of: &'static str,
    pub(crate) name: &'static str,
    /// Without one it is as if it had never been changed.
    pub(crate) value: Option<&'static str>,
}

impl Change {
    /// Of all brokers of a cluster.
    pub(crate) fn of_brokers(name: &'static str, value: Option<&'static str>) -> Self {
        Self { kind: OF_BROKERS, of: "", name, value }
    }

    pub(crate) fn ask(self, connection: &mut Connection) -> Result<()> {
        let change = AlterableConfig {
            name: self.name.into(),
            config_operation: if self.value.is_some() { SET } else { DELETE },
            value: self.value.map(Str::from_static),
            ..AlterableConfig::default()
        };
        let resource = AlterConfigsResource {
            resource_type: self.kind,
            resource_name: self.of.into(),
            configs: vec![change],
            ..AlterConfigsResource::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let answer = connection.call(&request, VERSION)?;
        let is_done = answer.responses.iter().all(|one| one.error_code == 0);
        ensure!(is_done, "{} cannot be set: {answer:?}", self.name);
        Ok(())
    }
}
