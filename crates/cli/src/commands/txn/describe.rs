//! `pagewire txn describe`.

use pagewire_wire::ErrorCode;
use serde::Serialize;

use crate::args::Connect;
use crate::args::txn::DescribeArgs;
use crate::client::{Client, Error};
use crate::commands::{failures::Failures, pages, pasted};
use crate::output::units::date;
use crate::output::{Out, Table};

#[derive(Serialize)]
struct Page {
    transactional_id: String,
    state: String,
    producer_id: i64,
    producer_epoch: i16,
    timeout_ms: i32,
    started: Option<String>,
    partitions: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    topic: String,
    partition: i32,
}

/// Shows each; one that cannot be shown does not hide the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DescribeArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (mut pages, mut failures) = (Vec::new(), Failures::of(args.ids.len()));
    for id in &args.ids {
        match page(client, id).await {
            Ok(page) => pages.push(page),
            Err(error) => {
                let is_unknown = error.code() == Some(ErrorCode::TransactionalIdNotFound);
                let list = pasted::command(connect, &["txn", "list"]);
                let hint = if is_unknown { format!(": {list} shows those there are") } else { String::new() };
                failures.note(error, hint);
            }
        }
    }
    pages::show(&pages, connect.output.format, out, print)?;
    failures.end()
}

async fn page(client: &mut Client, id: &str) -> Result<Page, Error> {
    let described = client.describe_transaction(id).await?;
    let row = |place: crate::client::Place| Row { topic: place.topic, partition: place.partition };
    Ok(Page {
        transactional_id: id.to_owned(),
        state: described.state,
        producer_id: described.producer,
        producer_epoch: described.epoch,
        timeout_ms: described.timeout_ms,
        started: described.started_ms.map(date),
        partitions: described.partitions.into_iter().map(row).collect(),
    })
}

fn print(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    let started = page.started.as_ref().map(|time| format!("  began {time}")).unwrap_or_default();
    out.line(format_args!(
        "transactional id {}  {}  producer {} epoch {}  timeout {} ms{started}",
        page.transactional_id, page.state, page.producer_id, page.producer_epoch, page.timeout_ms
    ))?;
    if page.partitions.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&["TOPIC", ">PARTITION"]);
    for row in &page.partitions {
        table.row([row.topic.clone(), row.partition.to_string()]);
    }
    table.print(out)
}
