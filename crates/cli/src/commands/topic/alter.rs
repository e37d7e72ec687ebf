//! `pagewire topic alter`.

use crate::args::topic::AlterArgs;
use crate::client::Client;
use crate::commands::failures::Failures;
use crate::output::Out;

/// Changes each; one that fails does not stop the others.
pub(crate) async fn run(client: &mut Client, args: &AlterArgs, out: &mut Out) -> anyhow::Result<()> {
    let mut failures = Failures::of(args.topics.len());
    let done = if args.dry_run { "could be changed" } else { "changed" };
    for topic in &args.topics {
        match client.alter_topic(topic, &args.config, &args.unset, args.dry_run).await {
            Ok(()) => out.line(format_args!("{topic}: {done}"))?,
            Err(error) => failures.note(error, ""),
        }
    }
    out.flush()?;
    failures.end()
}
