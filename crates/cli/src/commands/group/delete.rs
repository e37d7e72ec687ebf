//! `pagewire group delete`.

use pagewire_wire::ErrorCode;

use crate::args::group::{DeleteArgs, TopicPartitions};
use crate::client::routing::Which;
use crate::client::{Client, Error, Place};
use crate::commands::done::Done;
use crate::output::{Format, Out};

/// Deletes each, or their offsets of some topics; one that fails does not stop the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DeleteArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut done = Done::of(args.groups.len(), ("group", "deleted"), format);
    let (gone, there) = split(client, &args.topic).await?;
    let places = super::places(client, &there).await?;
    for group in &args.groups {
        let result = if args.topic.is_empty() {
            client.delete_group(group).await.map(|()| "deleted")
        } else {
            delete_offsets(client, group, places.clone(), &gone).await
        };
        match result {
            Ok("") => done.pass(group, "has no offsets of these topics", out)?,
            Ok(words) => done.note(group, words, out)?,
            Err(error) => {
                let hint = hint(&error);
                done.fail(group, error, hint);
            }
        }
    }
    done.end(out)
}

/// The topics that do not exist, and those that do. Offsets may outlive a topic.
async fn split(
    client: &mut Client,
    named: &[TopicPartitions],
) -> Result<(Vec<TopicPartitions>, Vec<TopicPartitions>), Error> {
    let names: Vec<&str> = named.iter().map(|named| named.topic.as_str()).collect();
    let topics = client.metadata(Which::Named(&names)).await?;
    let is_gone =
        |named: &TopicPartitions| topics.iter().any(|topic| topic.name == named.topic && topic.is_unknown());
    Ok(named.iter().cloned().partition(is_gone))
}

/// Of a topic that is gone, what the group has is deleted. No words: it has nothing.
async fn delete_offsets(
    client: &mut Client,
    group: &str,
    mut places: Vec<Place>,
    gone: &[TopicPartitions],
) -> Result<&'static str, Error> {
    if !gone.is_empty() {
        let committed = client.committed(group).await?;
        places.extend(committed.into_keys().filter(|place| gone.iter().any(|named| named.covers(place))));
    }
    if places.is_empty() {
        return Ok("");
    }
    client.delete_offsets(group, &places).await.map(|()| "offsets deleted")
}

fn hint(error: &Error) -> &'static str {
    match error.code() {
        Some(ErrorCode::NonEmptyGroup | ErrorCode::GroupSubscribedToTopic) => ": stop its members first",
        _ => "",
    }
}
