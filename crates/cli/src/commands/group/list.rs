//! `pagewire group list`.

use serde::Serialize;

use crate::args::Connect;
use crate::args::group::ListArgs;
use crate::client::Client;
use crate::client::unanswered::Kept;
use crate::commands::unanswered;
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Row {
    group: String,
    state: String,
    #[serde(rename = "type")]
    kind: String,
    protocol_type: String,
}

/// Lists groups by id.
pub(crate) async fn run(
    client: &mut Client,
    args: &ListArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let groups = client.list_groups(&args.state).await?;
    let rows = groups.into_iter().map(|group| Row {
        group: group.group,
        state: group.state,
        kind: group.kind.to_lowercase(),
        protocol_type: group.protocol,
    });
    let rows: Vec<Row> = rows.collect();
    unanswered::tell(client, Kept::Groups, connect).await?;
    if connect.output.format == Format::Json {
        return out.json(&rows);
    }
    let mut table = Table::new(&["GROUP", "STATE", "TYPE", "PROTOCOL"]);
    for row in rows {
        table.row([row.group, row.state, row.kind, row.protocol_type]);
    }
    table.print(out)
}
