//! `{"verb":"metrics"}`: everything that is counted, as the text that Prometheus reads.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, Work, fields};
use crate::{
    broker::Broker,
    cleaner,
    metrics::{Seen, exposition},
};

/// It takes no fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Nothing {} = fields(request)?;
    Ok(Box::pin(async move {
        let broker = Arc::clone(&call.broker);
        // Asks the file systems for their space, so it blocks.
        let asked = call.broker.io().run(move || text(&broker));
        let text = asked.await.map_err(|_| "the broker is busy: try again".to_owned())?;
        Ok(json!({ "text": text }))
    }))
}

fn text(broker: &Broker) -> String {
    let (dirs, cleaner) = (broker.cluster().log_dirs().describe(), cleaner::gauges(broker));
    let offline_partitions = broker.image().offline_partitions();
    let hanging_dirs = broker.cluster().lanes().hanging_count();
    let (metrics, sent) = (broker.metrics(), &broker.transfer().stats().snapshot());
    exposition(&Seen { metrics, sent, dirs: &dirs, cleaner: &cleaner, offline_partitions, hanging_dirs })
}
