//! `pagewire config`, one file per sub-command.

mod change;
mod describe;
mod list;

use anyhow::bail;

use super::pasted;
use crate::args::Connect;
use crate::args::config::{ConfigArgs, ConfigCommand};
use crate::client::Client;
use crate::client::admin::configs::{Changes, Resource};
use crate::output::Out;
use crate::output::units::list as numbers;

/// Does what is asked.
pub(crate) async fn run(args: ConfigArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let (connect, mut out) = (&args.connect, Out::new());
    let result = match &args.command {
        ConfigCommand::List(_) => list::run(&mut client, connect.output.format, &mut out).await,
        ConfigCommand::Describe(args) => describe::run(&mut client, args, connect, &mut out).await,
        ConfigCommand::Set(args) => {
            let changes = Changes { set: &args.set, delete: &[], dry_run: args.dry_run };
            change::run(&mut client, &args.resource, changes, connect, &mut out).await
        }
        ConfigCommand::Delete(args) => {
            let changes = Changes { set: &[], delete: &args.keys, dry_run: args.dry_run };
            change::run(&mut client, &args.resource, changes, connect, &mut out).await
        }
    };
    out.flush()?;
    result
}

/// Refuses what is not there, before it is waited for. Any group may have settings, whether or not it has members yet.
async fn check_there(client: &mut Client, of: &Resource, connect: &Connect) -> anyhow::Result<()> {
    if let Resource::Topic(name) = of {
        super::topic::named(client, name).await?;
    }
    let nodes: Vec<i32> = client.cluster().nodes.keys().copied().collect();
    match of.node() {
        Some(node) if !nodes.contains(&node) => bail!(
            "{of}: the cluster has no broker {node}, it has {}: {} shows them",
            numbers(&nodes),
            pasted::command(connect, &["cluster"])
        ),
        _ => Ok(()),
    }
}

/// How all settings of something are shown.
fn all_of(of: &Resource, connect: &Connect) -> String {
    pasted::command(connect, &["config", "describe", &of.to_string(), "--all"])
}
