//! `{"verb":"metrics"}`: everything that is counted, as the text that Prometheus reads.

use pagewire_log::{CleaningReport, DirDescription};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, Work, fields};
use crate::{
    aside::aside,
    broker::Broker,
    cleaner,
    described::describe,
    metrics::{Seen, exposition},
};

/// It takes no fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Nothing {} = fields(request)?;
    Ok(Box::pin(async move {
        let described = describe(&call.broker).await;
        Ok(json!({ "text": aside(true, || text(&call.broker, described)) }))
    }))
}

fn text(broker: &Broker, described: Vec<(DirDescription, CleaningReport)>) -> String {
    let (dirs, cleaning): (Vec<_>, Vec<_>) = described.into_iter().unzip();
    let cleaner = cleaner::gauges_of(broker, cleaning);
    let offline_partitions = broker.image().offline_partitions();
    let hanging_dirs = broker.cluster().lanes().hanging_count();
    let (metrics, sent) = (broker.metrics(), &broker.transfer().stats().snapshot());
    let (moves, metadata_trouble) =
        (broker.moves().gauges(), broker.cluster().catalog().store().trouble().is_some());
    exposition(&Seen {
        metrics,
        sent,
        dirs: &dirs,
        cleaner: &cleaner,
        offline_partitions,
        hanging_dirs,
        moves,
        metadata_trouble,
    })
}
