//! `pagewire topic list`.

use serde::Serialize;

use crate::args::topic::ListArgs;
use crate::client::Client;
use crate::client::routing::Which;
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Row {
    topic: String,
    id: Option<String>,
    partitions: usize,
    replication_factor: usize,
    internal: bool,
}

/// Lists topics by name.
pub(crate) async fn run(
    client: &mut Client,
    args: &ListArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let topics = client.metadata(Which::All).await?;
    let mut rows: Vec<Row> = topics
        .into_iter()
        .filter(|topic| args.internal || !topic.internal)
        .map(|topic| Row {
            id: Some(topic.id).filter(|id| !id.is_nil()).map(|id| id.to_string()),
            partitions: topic.partitions.len(),
            replication_factor: topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
            internal: topic.internal,
            topic: topic.name,
        })
        .collect();
    rows.sort_by(|a, b| a.topic.cmp(&b.topic));
    if format == Format::Json {
        return out.json(&rows);
    }
    let mut table = Table::new(&["TOPIC", ">PARTITIONS", ">REPLICATION"]);
    for row in rows {
        table.row([row.topic, row.partitions.to_string(), row.replication_factor.to_string()]);
    }
    table.print(out)
}
