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
    let (format, mut out) = (args.connect.output, Out::new());
    let result = match args.command {
        TopicCommand::Create(args) => create::run(&mut client, &args, format, &mut out).await,
        TopicCommand::List(args) => list::run(&mut client, &args, format, &mut out).await,
        TopicCommand::Describe(args) => describe::run(&mut client, &args, format, &mut out).await,
        TopicCommand::Alter(args) => alter::run(&mut client, &args, &mut out).await,
        TopicCommand::Delete(args) => delete::run(&mut client, &args, &mut out).await,
        TopicCommand::AddPartitions(args) => add_partitions::run(&mut client, &args, &mut out).await,
    };
    out.flush()?;
    result
}

/// The topics of these names; one that does not exist is an error.
async fn named(client: &mut Client, names: &[String]) -> Result<Vec<Topic>, Error> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let topics = client.metadata(Which::Named(&names)).await?;
    if let Some(unknown) = topics.iter().find(|topic| topic.is_unknown()) {
        return Err(Error::NoTopic(unknown.name.clone()));
    }
    for topic in &topics {
        Error::check(topic.error, None, || format!("topic {}", topic.name))?;
    }
    Ok(topics)
}
