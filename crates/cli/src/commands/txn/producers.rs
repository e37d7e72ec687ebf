//! `pagewire txn producers`: what partitions remember of producers.

use serde::Serialize;

use crate::args::txn::ProducersArgs;
use crate::client::Client;
use crate::output::units::date;
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Row {
    topic: String,
    partition: i32,
    producer_id: i64,
    producer_epoch: i32,
    coordinator_epoch: Option<i32>,
    last_sequence: Option<i32>,
    last_written: Option<String>,
    open_from_offset: Option<i64>,
}

/// Lists producers by partition.
pub(crate) async fn run(
    client: &mut Client,
    args: &ProducersArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let places = crate::commands::group::places(client, &args.topics).await?;
    let mut rows = Vec::new();
    for (place, producers) in client.producers(&places).await? {
        let wanted = producers.into_iter().filter(|producer| !args.open || producer.open_from.is_some());
        rows.extend(wanted.map(|producer| Row {
            topic: place.topic.clone(),
            partition: place.partition,
            producer_id: producer.id,
            producer_epoch: producer.epoch,
            coordinator_epoch: Some(producer.coordinator_epoch).filter(|epoch| *epoch >= 0),
            last_sequence: Some(producer.last_sequence).filter(|sequence| *sequence >= 0),
            last_written: producer.last_ms.map(date),
            open_from_offset: producer.open_from,
        }));
    }
    if format == Format::Json {
        return out.json(&rows);
    }
    let columns = [
        "TOPIC",
        ">PARTITION",
        ">PRODUCER",
        ">EPOCH",
        ">COORDINATOR EPOCH",
        ">SEQUENCE",
        "WRITTEN",
        ">OPEN FROM",
    ];
    let mut table = Table::new(&columns);
    for row in rows {
        table.row([
            row.topic,
            row.partition.to_string(),
            row.producer_id.to_string(),
            row.producer_epoch.to_string(),
            row.coordinator_epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
            row.last_sequence.map(|sequence| sequence.to_string()).unwrap_or_default(),
            row.last_written.unwrap_or_default(),
            row.open_from_offset.map(|offset| offset.to_string()).unwrap_or_default(),
        ]);
    }
    table.print(out)
}
