//! `fetch-cold`: everything once, after its pages were taken out of the page cache.

use std::time::Duration;

use crate::drive::broker::Broker;
use crate::drive::client::Result;
use crate::drive::plan::Plan;
use crate::drive::process::{self, Found};
use crate::drive::topic::Topic;

use super::fill::fill;
use super::hot::readers;
use super::race::{Limits, Runner, runner};
use super::reader::Reader;
use super::{Load, Ready};

/// No disk takes longer.
const LENGTH_MAX: Duration = Duration::from_hours(1);

/// The load.
#[derive(Debug)]
pub(super) struct FetchCold {
    topic: Topic,
    process: Found,
    drop_caches: bool,
    readers: Vec<Reader>,
}

impl FetchCold {
    pub(super) fn prepare(topic: Topic, plan: &Plan, broker: &Broker) -> Result<Self> {
        let ends = fill(&topic, plan, broker, plan.cold_bytes)?;
        // What was written is of no transaction.
        let all = Plan { committed: false, ..plan.clone() };
        let readers = readers(&topic, &all, broker, &ends, plan.partitions_count())?;
        Ok(Self { topic, process: broker.process.clone(), drop_caches: plan.drop_caches, readers })
    }
}

/// Whether a broker's log can be taken out of the page cache, or why not.
pub(in crate::drive) fn can_chill(process: &Found, drop_caches: bool) -> std::result::Result<(), String> {
    match process {
        _ if drop_caches => process::may_drop_everything(),
        Ok(pid) => process::sees_files(*pid),
        Err(why) => Err(format!("its files cannot be dropped from the page cache: {why}")),
    }
}

/// Takes the broker's log out of the page cache, or says why that cannot be done.
fn chill(process: &Found, drop_caches: bool) -> std::result::Result<(), String> {
    if drop_caches {
        return process::drop_everything();
    }
    match process {
        Ok(pid) => process::drop_files(*pid).map(|_| ()),
        Err(why) => Err(why.clone()),
    }
}

impl Load for FetchCold {
    fn before(&mut self) -> Result<Ready> {
        Ok(chill(&self.process, self.drop_caches).err().map_or(Ready::Yes, Ready::No))
    }

    fn limits(&self) -> Limits {
        Limits { lead_in: Duration::ZERO, length: LENGTH_MAX, bytes: u64::MAX }
    }

    fn runners(&mut self) -> Vec<Runner<'_>> {
        self.readers.iter_mut().map(|reader| runner(|race| reader.once(race))).collect()
    }

    fn topic(&mut self) -> &mut Topic {
        &mut self.topic
    }
}
