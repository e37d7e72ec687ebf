//! `pagewire topic add-partitions`.

use crate::args::topic::AddPartitionsArgs;
use crate::client::{Client, Error};
use crate::output::Out;

/// Asks for the new total, which the broker refuses if it is no growth.
pub(crate) async fn run(client: &mut Client, args: &AddPartitionsArgs, out: &mut Out) -> anyhow::Result<()> {
    let topics = super::named(client, std::slice::from_ref(&args.topic)).await?;
    let topic = topics.first().ok_or_else(|| Error::NoTopic(args.topic.clone()))?;
    let now = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let total = args.total.unwrap_or_else(|| now.saturating_add(args.by.unwrap_or_default()));
    client.grow_topic(topic, total, args.dry_run).await?;
    let done = if args.dry_run { "could have" } else { "has" };
    out.line(format_args!("{}: {done} {total} partitions instead of {now}", args.topic))
}
