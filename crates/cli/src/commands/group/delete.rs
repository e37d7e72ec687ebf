//! `pagewire group delete`.

use pagewire_wire::ErrorCode;

use crate::args::group::DeleteArgs;
use crate::client::{Client, Error};
use crate::commands::failures::Failures;
use crate::output::Out;

/// Deletes each, or their offsets of some topics; one that fails does not stop the others.
pub(crate) async fn run(client: &mut Client, args: &DeleteArgs, out: &mut Out) -> anyhow::Result<()> {
    let places = if args.topic.is_empty() { None } else { Some(super::places(client, &args.topic).await?) };
    let mut failures = Failures::of(args.groups.len());
    for group in &args.groups {
        let (result, done) = match &places {
            None => (client.delete_group(group).await, "deleted"),
            Some(places) => (client.delete_offsets(group, places).await, "offsets deleted"),
        };
        match result {
            Ok(()) => out.line(format_args!("{group}: {done}"))?,
            Err(error) => {
                let hint = hint(&error);
                failures.note(error, hint);
            }
        }
    }
    out.flush()?;
    failures.end()
}

fn hint(error: &Error) -> &'static str {
    match error.code() {
        Some(ErrorCode::NonEmptyGroup | ErrorCode::GroupSubscribedToTopic) => ": stop its members first",
        _ => "",
    }
}
