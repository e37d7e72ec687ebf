//! `pagewire topic alter`.

use anyhow::bail;

use crate::args::topic::AlterArgs;
use crate::client::Client;
use crate::client::admin::configs::{Changes, Resource};
use crate::commands::done::Done;
use crate::output::{Format, Out};

/// Changes each; one that fails does not stop the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &AlterArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut done = Done::of(args.topics.len(), ("topic", "changed"), format).only_checked(args.dry_run);
    let words = if args.dry_run { "could be changed" } else { "changed" };
    for topic in &args.topics {
        match alter(client, topic, args).await {
            Ok(()) => done.note(topic, words, out)?,
            Err(error) => done.fail(topic, error, ""),
        }
    }
    done.end(out)
}

async fn alter(client: &mut Client, topic: &str, args: &AlterArgs) -> anyhow::Result<()> {
    let of = Resource::Topic(topic.to_owned());
    if !args.unset.is_empty() {
        // A broker takes back what there is not, and says nothing.
        let known = client.configs(&of).await?;
        let is_known = |name: &&String| known.iter().any(|config| config.name == **name);
        if let Some(name) = args.unset.iter().find(|name| !is_known(name)) {
            bail!(
                "a topic has no setting {name}: `pagewire topic describe {topic} --all-configs` lists them"
            );
        }
    }
    let changes = Changes { set: &args.config, delete: &args.unset, dry_run: args.dry_run };
    Ok(client.alter_configs(&of, changes).await?)
}
