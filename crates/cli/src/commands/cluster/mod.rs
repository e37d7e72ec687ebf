//! `pagewire cluster`.

mod metrics;
mod moves;
mod state;

use std::path::Path;

use pagewire_log::OnlineCommand;
use pagewire_wire::ApiKey;
use serde::Serialize;

use crate::args::ClusterArgs;
use crate::client::Target;
use crate::client::disks::{Condition, Directory};
use crate::output::units::{bytes, several};
use crate::output::{Format, Out, Table};
use state::State;

#[derive(Serialize)]
struct Page {
    cluster_id: Option<String>,
    controller: Option<i32>,
    nodes: Vec<NodeRow>,
    directories: Vec<DirectoryRow>,
    /// Of the nodes on this machine that may be asked.
    states: Vec<State>,
    features: Vec<Feature>,
    apis: Vec<Api>,
}

#[derive(Serialize)]
struct NodeRow {
    id: i32,
    host: String,
    port: u16,
    rack: Option<String>,
    controller: bool,
}

#[derive(Serialize)]
struct DirectoryRow {
    node: i32,
    path: String,
    state: Condition,
    note: String,
    error_code: i16,
    usable_bytes: Option<u64>,
    total_bytes: Option<u64>,
    partitions: usize,
    bytes: u64,
    /// What to type, at that node, when the cause of its state is gone.
    online: Option<String>,
    #[serde(skip)]
    home: String,
}

impl From<Directory> for DirectoryRow {
    fn from(directory: Directory) -> Self {
        let (state, note) = (directory.condition(), directory.note().to_owned());
        let Directory { node, path, home, error, total_bytes, usable_bytes, partitions, bytes } = directory;
        let (error_code, online) = (error, None);
        Self {
            node,
            path,
            state,
            note,
            error_code,
            usable_bytes,
            total_bytes,
            partitions,
            bytes,
            online,
            home,
        }
    }
}

impl DirectoryRow {
    fn way_back(&self) -> Option<String> {
        let is_served = matches!(self.state, Condition::Ok | Condition::Full | Condition::Hanging);
        let (dir, home) = (Path::new(&self.path), Path::new(&self.home));
        (!is_served).then(|| OnlineCommand { dir, home, empty: false }.to_string())
    }
}

#[derive(Serialize)]
struct Feature {
    name: String,
    level: i16,
}

#[derive(Serialize)]
struct Api {
    key: i16,
    name: String,
    min: i16,
    max: i16,
}

/// Shows the cluster.
pub(crate) async fn run(args: ClusterArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let deadline = client.deadline();
    let connection = client.connection(Target::Any, deadline).await?;
    let (versions, asked) = (connection.versions().clone(), connection.address().to_string());
    let directories = client.directories().await?;
    let cluster = client.cluster();
    let mut directories: Vec<_> = directories.into_iter().map(DirectoryRow::from).collect();
    if args.metrics {
        return metrics::print(&directories, cluster.id.as_deref(), args.connect.output.format).await;
    }
    let states = states(&mut directories, cluster.id.as_deref()).await;
    let nodes = cluster.nodes.values().map(|node| NodeRow {
        id: node.id,
        host: node.address.host.clone(),
        port: node.address.port,
        rack: node.rack.clone(),
        controller: cluster.controller == Some(node.id),
    });
    let page = Page {
        cluster_id: cluster.id.clone(),
        controller: cluster.controller,
        nodes: nodes.collect(),
        directories,
        states,
        features: versions
            .features()
            .iter()
            .map(|(name, level)| Feature { name: name.clone(), level: *level })
            .collect(),
        apis: versions.all().map(|(key, min, max)| Api { key, name: name(key), min, max }).collect(),
    };
    let mut out = Out::new();
    match args.connect.output.format {
        Format::Json => out.json(&page)?,
        Format::Table => print(&page, args.apis, &asked, &mut out)?,
    }
    out.flush()
}

/// Asks each node at its first log directory. What it says of its directories goes to their rows.
async fn states(directories: &mut [DirectoryRow], cluster_id: Option<&str>) -> Vec<State> {
    let mut states: Vec<State> = Vec::new();
    let mut asked = Vec::new();
    for row in directories.iter() {
        if !asked.contains(&row.node) {
            asked.push(row.node);
            states.extend(state::of(&row.path, cluster_id, row.node).await);
        }
    }
    for row in directories {
        let said = states.iter().find(|state| state.node_id == row.node);
        let dir = said.and_then(|state| state.log_dirs.iter().find(|dir| dir.path == row.path));
        if let Some(trouble) = dir.and_then(state::LogDir::trouble) {
            row.note = trouble;
        }
        if let Some(lacks) = dir.and_then(state::LogDir::lacks) {
            (row.state, row.note) = (Condition::Incomplete, lacks);
        }
        if let Some(hangs) = dir.and_then(state::LogDir::hangs) {
            (row.state, row.note) = (Condition::Hanging, hangs);
        }
        row.online = row.way_back();
    }
    states
}

fn name(key: i16) -> String {
    ApiKey::from_code(key).map_or_else(|| format!("(unknown {key})"), |api| api.name().to_owned())
}

fn print_directories(directories: &[DirectoryRow], out: &mut Out) -> anyhow::Result<()> {
    let known = |size: Option<u64>| size.map_or_else(|| "?".to_owned(), bytes);
    let mut table =
        Table::new(&[">NODE", "LOG DIRECTORY", "STATE", ">FREE", ">OF", ">PARTITIONS", ">SIZE", "NOTE"]);
    for directory in directories {
        let state = match directory.state {
            Condition::Ok => "ok",
            Condition::Full => "full",
            Condition::Incomplete => "incomplete",
            Condition::Hanging => "hanging",
            Condition::Offline => "offline",
        };
        table.row([
            directory.node.to_string(),
            directory.path.clone(),
            state.to_owned(),
            known(directory.usable_bytes),
            known(directory.total_bytes),
            directory.partitions.to_string(),
            bytes(directory.bytes),
            directory.note.clone(),
        ]);
    }
    table.print(out)?;
    for DirectoryRow { node, path, online, .. } in directories {
        if let Some(online) = online {
            out.line(format_args!("node {node}: when the cause is gone, {online} opens {path} again"))?;
        }
    }
    Ok(())
}

fn print(page: &Page, apis: bool, asked: &str, out: &mut Out) -> anyhow::Result<()> {
    out.line(format_args!("cluster {}", page.cluster_id.as_deref().unwrap_or("(no id)")))?;
    let features: Vec<String> =
        page.features.iter().map(|feature| format!("{} {}", feature.name, feature.level)).collect();
    if !features.is_empty() {
        out.line(format_args!("features {}", features.join(", ")))?;
    }
    out.line(format_args!(
        "{asked} offers {}{}",
        several(page.apis.len() as u64, "API"),
        if apis { "" } else { " (--apis lists them)" }
    ))?;
    out.line("")?;
    let mut nodes = Table::new(&[">NODE", "HOST", ">PORT", "RACK", "CONTROLLER"]);
    for node in &page.nodes {
        let controller = if node.controller { "yes" } else { "" };
        let rack = node.rack.clone().unwrap_or_default();
        nodes.row([
            node.id.to_string(),
            node.host.clone(),
            node.port.to_string(),
            rack,
            controller.to_owned(),
        ]);
    }
    nodes.print(out)?;
    if !page.directories.is_empty() {
        out.line("")?;
        print_directories(&page.directories, out)?;
    }
    if !page.states.is_empty() {
        out.line("")?;
        state::print(&page.states, out)?;
    }
    if apis {
        out.line("")?;
        let mut table = Table::new(&[">KEY", "API", "VERSIONS"]);
        for api in &page.apis {
            table.row([api.key.to_string(), api.name.clone(), format!("{}-{}", api.min, api.max)]);
        }
        table.print(out)?;
    }
    Ok(())
}
