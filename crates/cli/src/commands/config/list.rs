//! `pagewire config list`.

use serde::Serialize;

use crate::client::Client;
use crate::output::{Format, Out, Table};

#[derive(Serialize)]
struct Row {
    resource: String,
}

/// Lists what has settings, as the other commands take it.
pub(crate) async fn run(client: &mut Client, format: Format, out: &mut Out) -> anyhow::Result<()> {
    let found = client.config_resources().await?;
    let rows = found.iter().map(|resource| Row { resource: resource.to_string() });
    if format == Format::Json {
        return out.json(&rows.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["RESOURCE"]);
    rows.for_each(|row| table.row([row.resource]));
    table.print(out)
}
