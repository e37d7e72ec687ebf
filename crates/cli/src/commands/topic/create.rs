//! `pagewire topic create`.

use pagewire_wire::ErrorCode;
use serde::Serialize;

use crate::args::topic::CreateArgs;
use crate::client::Client;
use crate::client::admin::topics::{CreatedTopic, NewTopic};
use crate::commands::failures::Failures;
use crate::output::{Format, Out};

#[derive(Serialize)]
struct Row {
    topic: String,
    id: Option<String>,
    partitions: Option<i32>,
    replication_factor: Option<i16>,
    created: bool,
    /// It was there before.
    exists: bool,
    dry_run: bool,
    error: Option<String>,
}

impl Row {
    /// Of a topic that is not made.
    fn without(topic: &str, dry_run: bool) -> Self {
        Self {
            topic: topic.to_owned(),
            id: None,
            partitions: None,
            replication_factor: None,
            created: false,
            exists: false,
            dry_run,
            error: None,
        }
    }

    fn made(topic: &str, dry_run: bool, made: &CreatedTopic) -> Self {
        Self {
            id: Some(made.id).filter(|id| !id.is_nil()).map(|id| id.to_string()),
            partitions: Some(made.partitions).filter(|count| *count >= 0),
            replication_factor: Some(made.replication).filter(|count| *count >= 0),
            created: !dry_run,
            ..Self::without(topic, dry_run)
        }
    }

    fn words(&self) -> String {
        let done = match (self.exists, self.created) {
            (true, _) => "exists",
            (false, true) => "created",
            (false, false) => "could be created",
        };
        let size = match (self.partitions, self.replication_factor) {
            (Some(partitions), Some(copies)) => {
                format!(", partitions {partitions}, replication factor {copies}")
            }
            _ => String::new(),
        };
        format!("{}: {done}{size}", self.topic)
    }
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
            Ok(made) => rows.push(Row::made(name, args.dry_run, &made)),
            Err(error) if args.if_not_exists && error.code() == Some(ErrorCode::TopicAlreadyExists) => {
                rows.push(Row { exists: true, ..Row::without(name, args.dry_run) });
            }
            Err(error) => {
                rows.push(Row { error: Some(error.to_string()), ..Row::without(name, args.dry_run) });
                failures.note(error, "");
            }
        }
    }
    match format {
        Format::Json => out.json(&rows)?,
        Format::Table => {
            for row in rows.iter().filter(|row| row.error.is_none()) {
                out.line(row.words())?;
            }
        }
    }
    out.flush()?;
    failures.end()
}
