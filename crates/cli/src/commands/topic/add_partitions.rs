//! `pagewire topic add-partitions`.

use crate::args::topic::AddPartitionsArgs;
use crate::client::{Client, Error};
use crate::commands::done::Done;
use crate::output::{Format, Out};

/// Asks for the new total, which the broker refuses if it is no growth.
pub(crate) async fn run(
    client: &mut Client,
    args: &AddPartitionsArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut done = Done::of(1, ("topic", "changed"), format).only_checked(args.dry_run);
    let words = if args.dry_run { "could have" } else { "has" };
    match grow(client, args).await {
        Ok((total, before)) => {
            let words = format_args!("{words} {total} partitions instead of {before}");
            done.note(&args.topic, words, out)?;
        }
        Err(error) => done.fail(&args.topic, error, ""),
    }
    done.end(out)
}

/// How many partitions there are now, and were before.
async fn grow(client: &mut Client, args: &AddPartitionsArgs) -> Result<(i32, i32), Error> {
    let topic = super::named(client, &args.topic).await?;
    let before = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let total = args.total.unwrap_or_else(|| before.saturating_add(args.by.unwrap_or_default()));
    client.grow_topic(&topic, total, args.dry_run).await?;
    Ok((total, before))
}
