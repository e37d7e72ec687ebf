//! `pagewire topic describe`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::args::topic::DescribeArgs;
use crate::client::admin::configs::Resource;
use crate::client::offsets::{EARLIEST, LATEST, READ_UNCOMMITTED};
use crate::client::{Client, Place};
use crate::commands::{failures::Failures, pages};
use crate::output::units::{count, list};
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Page {
    topic: String,
    id: Option<String>,
    internal: bool,
    partitions: Vec<Row>,
    configs: Vec<ConfigRow>,
}

#[derive(Serialize)]
struct Row {
    partition: i32,
    leader: Option<i32>,
    leader_epoch: i32,
    replicas: Vec<i32>,
    isr: Vec<i32>,
    start_offset: Option<i64>,
    end_offset: Option<i64>,
}

#[derive(Serialize)]
struct ConfigRow {
    name: String,
    value: Option<String>,
    source: &'static str,
}

/// Shows each; one that cannot be shown does not hide the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DescribeArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (mut pages, mut failures) = (Vec::new(), Failures::of(args.topics.len()));
    for topic in &args.topics {
        match page(client, topic, args.all_configs).await {
            Ok(page) => pages.push(page),
            Err(error) => failures.note(error, ""),
        }
    }
    pages::show(&pages, format, out, print)?;
    failures.end()
}

async fn page(client: &mut Client, name: &str, all_configs: bool) -> anyhow::Result<Page> {
    let topic = super::named(client, name).await?;
    // A partition without a leader has no offsets that could be asked for.
    let led = topic.partitions.iter().filter(|partition| partition.leader.is_some() && partition.error == 0);
    let places: Vec<Place> = led.map(|partition| Place::new(&topic.name, partition.index)).collect();
    let at = |time| places.iter().map(|place| (place.clone(), time)).collect::<BTreeMap<_, _>>();
    let starts = client.offsets(&at(EARLIEST), READ_UNCOMMITTED).await?;
    let ends = client.offsets(&at(LATEST), READ_UNCOMMITTED).await?;
    let configs = client.configs(&Resource::Topic(topic.name.clone())).await?;
    let row = |partition: &crate::client::Partition| {
        let place = Place::new(&topic.name, partition.index);
        Row {
            partition: partition.index,
            leader: partition.leader,
            leader_epoch: partition.epoch,
            replicas: partition.replicas.clone(),
            isr: partition.isr.clone(),
            start_offset: starts.get(&place).copied(),
            end_offset: ends.get(&place).copied(),
        }
    };
    Ok(Page {
        id: Some(topic.id).filter(|id| !id.is_nil()).map(|id| id.to_string()),
        internal: topic.internal,
        partitions: topic.partitions.iter().map(row).collect(),
        configs: configs
            .into_iter()
            .filter(|config| all_configs || config.own)
            .map(|config| ConfigRow { name: config.name, value: config.value, source: config.source })
            .collect(),
        topic: topic.name,
    })
}

fn print(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    let held =
        page.partitions.iter().filter_map(|row| u64::try_from(row.end_offset? - row.start_offset?).ok());
    let id = page.id.as_ref().map(|id| format!("  id {id}")).unwrap_or_default();
    out.line(format_args!("topic {}{id}  offsets held {}", page.topic, count(held.sum())))?;
    let mut table = Table::new(&[">PARTITION", ">LEADER", ">EPOCH", "REPLICAS", "ISR", ">START", ">END"]);
    for row in &page.partitions {
        table.row([
            row.partition.to_string(),
            row.leader.map(|id| id.to_string()).unwrap_or_default(),
            row.leader_epoch.to_string(),
            list(&row.replicas),
            list(&row.isr),
            row.start_offset.map(|offset| offset.to_string()).unwrap_or_default(),
            row.end_offset.map(|offset| offset.to_string()).unwrap_or_default(),
        ]);
    }
    table.print(out)?;
    if page.configs.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for config in &page.configs {
        let value = config.value.clone().unwrap_or_else(|| "null".to_owned());
        table.row([config.name.clone(), value, config.source.to_owned()]);
    }
    table.print(out)
}
