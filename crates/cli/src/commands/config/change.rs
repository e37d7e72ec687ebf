//! `pagewire config set` and `pagewire config delete`: the same, but for what becomes of the values.

use anyhow::bail;
use pagewire_wire::ErrorCode;

use crate::args::Connect;
use crate::client::admin::configs::{Changes, Resource};
use crate::client::{Client, Error};
use crate::commands::done::Done;
use crate::output::Out;

/// Changes settings of one resource, all of them or none.
pub(crate) async fn run(
    client: &mut Client,
    of: &Resource,
    changes: Changes<'_>,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut done = Done::of(1, ("resource", "changed"), connect.output.format).only_checked(changes.dry_run);
    let name = of.to_string();
    match change(client, of, changes, connect).await {
        Ok(()) if changes.dry_run => done.note(&name, "could be changed", out)?,
        Ok(()) => done.note(&name, "changed", out)?,
        Err(error) => {
            let hint = hint(&error, of, connect);
            done.fail(&name, error, hint);
        }
    }
    done.end(out)
}

async fn change(
    client: &mut Client,
    of: &Resource,
    changes: Changes<'_>,
    connect: &Connect,
) -> anyhow::Result<()> {
    super::check_there(client, of, connect).await?;
    check_deleted(client, of, changes.delete, connect).await?;
    Ok(client.alter_configs(of, changes).await?)
}

/// A broker takes back what there is not, and says nothing.
async fn check_deleted(
    client: &mut Client,
    of: &Resource,
    keys: &[String],
    connect: &Connect,
) -> anyhow::Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let configs = client.configs(of).await?;
    for key in keys {
        match configs.iter().find(|config| config.name == *key) {
            // Of all brokers together only what was changed is told.
            None if *of == Resource::Brokers => {
                bail!("{key} is not set for {of}: there is nothing to take back")
            }
            None => bail!("{of} has no setting {key}: {} lists them", super::all_of(of, connect)),
            Some(config) if !config.own => bail!(
                "{key} is not set for {of} itself, it comes from: {}. There is nothing to take back",
                config.source
            ),
            Some(_) => {}
        }
    }
    Ok(())
}

/// What the answer was, in view of what can be done now.
fn hint(error: &anyhow::Error, of: &Resource, connect: &Connect) -> String {
    match error.downcast_ref::<Error>().and_then(Error::code) {
        Some(ErrorCode::InvalidConfig | ErrorCode::InvalidRequest) => {
            format!(": {} shows names, values and what changes at once", super::all_of(of, connect))
        }
        _ => String::new(),
    }
}
