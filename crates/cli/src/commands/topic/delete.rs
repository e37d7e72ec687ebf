//! `pagewire topic delete`.

use pagewire_wire::ErrorCode;

use crate::args::topic::DeleteArgs;
use crate::client::{Client, Error};
use crate::commands::failures::Failures;
use crate::output::Out;

/// Deletes each; one that fails does not stop the others.
pub(crate) async fn run(client: &mut Client, args: &DeleteArgs, out: &mut Out) -> anyhow::Result<()> {
    let mut failures = Failures::of(args.topics.len());
    for topic in &args.topics {
        match client.delete_topic(topic).await {
            Ok(()) => out.line(format_args!("{topic}: deleted"))?,
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
                if args.if_exists {
                    out.line(format_args!("{topic}: does not exist"))?;
                } else {
                    failures.note(Error::NoTopic(topic.clone()), "");
                }
            }
            Err(error) => failures.note(error, ""),
        }
    }
    out.flush()?;
    failures.end()
}
