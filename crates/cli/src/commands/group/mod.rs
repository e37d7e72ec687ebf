//! `pagewire group`, one file per sub-command.

mod delete;
mod describe;
mod list;
mod reset;

use std::collections::BTreeSet;

use crate::args::group::{GroupArgs, GroupCommand, TopicPartitions};
use crate::client::routing::Which;
use crate::client::{Client, Error, Place};
use crate::output::Out;

/// Does what is asked.
pub(crate) async fn run(args: GroupArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let (connect, mut out) = (&args.connect, Out::new());
    let format = connect.output.format;
    let result = match args.command {
        GroupCommand::List(args) => list::run(&mut client, &args, connect, &mut out).await,
        GroupCommand::Describe(args) => describe::run(&mut client, &args, connect, &mut out).await,
        GroupCommand::Reset(args) => reset::run(&mut client, &args, format, &mut out).await,
        GroupCommand::Delete(args) => delete::run(&mut client, &args, format, &mut out).await,
    };
    out.flush()?;
    result
}

/// Keeps the places that can be asked for offsets, and answers the others: offsets outlive topics.
async fn keep_existing(client: &mut Client, places: &mut BTreeSet<Place>) -> Result<Vec<Place>, Error> {
    let names: BTreeSet<&str> = places.iter().map(|place| place.topic.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let topics = client.metadata(Which::Named(&names)).await?;
    let mut existing = BTreeSet::new();
    for topic in topics.iter().filter(|topic| topic.error == 0) {
        let led = topic.partitions.iter().filter(|partition| partition.leader.is_some());
        existing.extend(led.map(|partition| Place::new(&topic.name, partition.index)));
    }
    let gone = places.difference(&existing).cloned().collect();
    places.retain(|place| existing.contains(place));
    Ok(gone)
}

/// The places that were named, all partitions where none was.
pub(super) async fn places(client: &mut Client, named: &[TopicPartitions]) -> anyhow::Result<Vec<Place>> {
    let names: Vec<&str> = named.iter().map(|named| named.topic.as_str()).collect();
    let topics = client.metadata(Which::Named(&names)).await?;
    let mut places = Vec::new();
    for named in named {
        let topic = topics.iter().find(|topic| topic.name == named.topic && topic.error == 0);
        let topic = topic.ok_or_else(|| Error::NoTopic(named.topic.clone()))?;
        let all = topic.partitions.iter().map(|partition| partition.index);
        match &named.partitions {
            None => places.extend(all.map(|partition| Place::new(&topic.name, partition))),
            Some(wanted) => {
                let all: Vec<i32> = all.collect();
                if let Some(missing) = wanted.iter().find(|partition| !all.contains(partition)) {
                    anyhow::bail!("topic {} has no partition {missing}: it has {}", topic.name, all.len());
                }
                places.extend(wanted.iter().map(|partition| Place::new(&topic.name, *partition)));
            }
        }
    }
    places.sort();
    places.dedup();
    Ok(places)
}
