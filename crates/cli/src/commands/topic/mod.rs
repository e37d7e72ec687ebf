//! `pagewire topic`, one file per sub-command.

mod add_partitions;
mod alter;
mod create;
mod delete;
mod describe;
mod list;

use crate::args::topic::{TopicArgs, TopicCommand};
use crate::client::routing::Which;
use crate::client::{Client, Error, Topic};
use crate::output::Out;

/// Does what is asked.
pub(crate) async fn run(args: TopicArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let (format, mut out) = (args.connect.output.format, Out::new());
    let result = match args.command {
        TopicCommand::Create(args) => create::run(&mut client, &args, format, &mut out).await,
        TopicCommand::List(args) => list::run(&mut client, &args, format, &mut out).await,
        TopicCommand::Describe(args) => describe::run(&mut client, &args, format, &mut out).await,
        TopicCommand::Alter(args) => alter::run(&mut client, &args, format, &mut out).await,
        TopicCommand::Delete(args) => delete::run(&mut client, &args, format, &mut out).await,
        TopicCommand::AddPartitions(args) => add_partitions::run(&mut client, &args, format, &mut out).await,
    };
    out.flush()?;
    result
}

/// The topic of this name; one that does not exist is an error.
pub(super) async fn named(client: &mut Client, name: &str) -> Result<Topic, Error> {
    let found = client.metadata(Which::Named(&[name])).await?.into_iter().next();
    let topic = found.filter(|topic| !topic.is_unknown()).ok_or_else(|| Error::NoTopic(name.to_owned()))?;
    Error::check(topic.error, None, || format!("topic {name}"))?;
    Ok(topic)
}
