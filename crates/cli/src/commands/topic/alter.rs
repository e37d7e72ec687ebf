//! `pagewire topic alter`.

use crate::args::topic::AlterArgs;
use crate::client::Client;
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
        match client.alter_topic(topic, &args.config, &args.unset, args.dry_run).await {
            Ok(()) => done.note(topic, words, out)?,
            Err(error) => done.fail(topic, error, ""),
        }
    }
    done.end(out)
}
