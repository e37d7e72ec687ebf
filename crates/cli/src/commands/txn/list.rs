//! `pagewire txn list`.

use serde::Serialize;

use crate::args::Connect;
use crate::args::txn::ListArgs;
use crate::client::Client;
use crate::client::admin::transactions::Filter;
use crate::client::unanswered::Kept;
use crate::commands::unanswered;
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Row {
    transactional_id: String,
    coordinator: i32,
    producer_id: i64,
    state: String,
}

/// Lists transactional ids by name.
pub(crate) async fn run(
    client: &mut Client,
    args: &ListArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let filter = Filter {
        states: args.state.clone(),
        producers: args.producer_id.clone(),
        longer_than_ms: args.longer_than.map(|time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX)),
        pattern: args.pattern.clone(),
    };
    let rows = client.list_transactions(&filter).await?.into_iter().map(|listed| Row {
        transactional_id: listed.id,
        coordinator: listed.coordinator,
        producer_id: listed.producer,
        state: listed.state,
    });
    let rows: Vec<Row> = rows.collect();
    unanswered::tell(client, Kept::Transactions, connect).await?;
    if connect.output.format == Format::Json {
        return out.json(&rows);
    }
    let mut table = Table::new(&["TRANSACTIONAL ID", ">COORDINATOR", ">PRODUCER", "STATE"]);
    for row in rows {
        table.row([
            row.transactional_id,
            row.coordinator.to_string(),
            row.producer_id.to_string(),
            row.state,
        ]);
    }
    table.print(out)
}
