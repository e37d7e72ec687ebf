//! `pagewire topic delete`.

use pagewire_wire::ErrorCode;

use crate::args::topic::DeleteArgs;
use crate::client::{Client, Error};
use crate::commands::done::Done;
use crate::output::{Format, Out};

/// Deletes each; one that fails does not stop the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DeleteArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let mut done = Done::of(args.topics.len(), ("topic", "deleted"), format);
    for topic in &args.topics {
        match client.delete_topic(topic).await {
            Ok(()) => done.note(topic, "deleted", out)?,
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                if args.if_exists {
                    done.pass(topic, "does not exist", out)?;
                } else {
                    done.fail(topic, Error::NoTopic(topic.clone()), "");
                }
            }
            Err(error) => done.fail(topic, error, ""),
        }
    }
    done.end(out)
}
