//! `pagewire config describe`: values in force, where they come from, and what stands behind them.

use anyhow::bail;
use serde::Serialize;

use crate::args::Connect;
use crate::args::config::DescribeArgs;
use crate::client::Client;
use crate::client::admin::configs::{Config, Resource, Synonym};
use crate::commands::{failures::Failures, pages};
use crate::output::{Out, Table};

#[derive(Serialize)]
struct Page {
    resource: String,
    configs: Vec<Row>,
    #[serde(skip)]
    shows_synonyms: bool,
    #[serde(skip)]
    has_defaults: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    value: Option<String>,
    source: &'static str,
    needs_restart: bool,
    sensitive: bool,
    synonyms: Vec<Synonym>,
}

impl From<Config> for Row {
    fn from(config: Config) -> Self {
        Self {
            name: config.name,
            value: config.value,
            source: config.source,
            needs_restart: config.read_only,
            sensitive: config.sensitive,
            synonyms: config.synonyms,
        }
    }
}

/// Shows each; one that cannot be shown does not hide the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DescribeArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (mut pages, mut failures) = (Vec::new(), Failures::of(args.resources.len()));
    for resource in &args.resources {
        match page(client, resource, args, connect).await {
            Ok(page) => pages.push(page),
            Err(error) => failures.note(error, ""),
        }
    }
    pages::show(&pages, connect.output.format, out, print)?;
    failures.end()
}

async fn page(
    client: &mut Client,
    of: &Resource,
    args: &DescribeArgs,
    connect: &Connect,
) -> anyhow::Result<Page> {
    super::check_there(client, of, connect).await?;
    let all = client.configs(of).await?;
    let is_known = |key: &&String| all.iter().any(|config| config.name == **key);
    // Of all brokers together only what was changed is told, so there nothing is known of the others.
    if let Some(key) = args.key.iter().find(|key| !is_known(key)).filter(|_| *of != Resource::Brokers) {
        bail!("{of} has no setting {key}: {} lists them", super::all_of(of, connect));
    }
    let wanted = |config: &Config| match args.key.as_slice() {
        [] => args.all || config.set,
        keys => keys.contains(&config.name),
    };
    Ok(Page {
        resource: of.to_string(),
        configs: all.into_iter().filter(wanted).map(Row::from).collect(),
        shows_synonyms: args.synonyms,
        has_defaults: *of != Resource::Brokers,
    })
}

fn print(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    if page.configs.is_empty() {
        let more = if page.has_defaults { " (--all shows defaults)" } else { "" };
        return out.line(format_args!("{}: nothing is set{more}", page.resource));
    }
    out.line(&page.resource)?;
    let columns = ["SETTING", "VALUE", "FROM", "CHANGES", "BEHIND IT"];
    let shown = if page.shows_synonyms { &columns[..] } else { &columns[..4] };
    let mut table = Table::new(shown);
    for row in &page.configs {
        let changes = if row.needs_restart { "restart" } else { "at once" };
        let cells = [row.name.clone(), text(row), row.source.to_owned(), changes.to_owned(), behind(row)];
        table.cells(cells.into_iter().take(shown.len()));
    }
    table.print(out)
}

fn text(row: &Row) -> String {
    match &row.value {
        Some(value) => value.clone(),
        None if row.sensitive => "(hidden)".to_owned(),
        None => "null".to_owned(),
    }
}

/// The values after the one in force.
fn behind(row: &Row) -> String {
    let one = |synonym: &Synonym| {
        format!("{}={} ({})", synonym.name, synonym.value.as_deref().unwrap_or("null"), synonym.source)
    };
    row.synonyms.iter().skip(1).map(one).collect::<Vec<_>>().join(", ")
}
