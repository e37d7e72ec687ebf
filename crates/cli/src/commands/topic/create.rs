//! `pagewire topic create`.

use pagewire_wire::ErrorCode;
use serde::Serialize;

use crate::args::topic::CreateArgs;
use crate::client::Client;
use crate::client::admin::topics::NewTopic;
use crate::commands::failures::Failures;
use crate::output::{Format, Out};

#[derive(Serialize)]
struct Row {
    topic: String,
    id: Option<String>,
    partitions: i32,
    replication_factor: i16,
    created: bool,
}

/// Creates each; one that fails does not stop the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &CreateArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (mut rows, mut failures) = (Vec::new(), Failures::of(args.topics.len()));
    for name in &args.topics {
        let new = NewTopic {
            name: name.clone(),
            partitions: args.partitions,
            replication: args.replication_factor,
            configs: args.config.clone(),
        };
        match client.create_topic(&new, args.dry_run).await {
            Ok(made) => rows.push(Row {
                topic: name.clone(),
                id: Some(made.id).filter(|id| !id.is_nil()).map(|id| id.to_string()),
                partitions: made.partitions,
                replication_factor: made.replication,
                created: !args.dry_run,
            }),
            Err(error) if args.if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => {
                if format == Format::Table {
                    out.line(format_args!("{name}: exists"))?;
                }
            }
            Err(error) => failures.note(error, ""),
        }
    }
    match format {
        Format::Json => out.json(&rows)?,
        Format::Table => {
            for row in &rows {
                let done = if row.created { "created" } else { "could be created" };
                let size = if row.partitions < 0 {
                    String::new()
                } else {
                    format!(", partitions {}, replication factor {}", row.partitions, row.replication_factor)
                };
                out.line(format_args!("{}: {done}{size}", row.topic))?;
            }
        }
    }
    out.flush()?;
    failures.end()
}
