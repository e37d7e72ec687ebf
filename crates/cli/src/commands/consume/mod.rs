//! `pagewire consume`: alone, or as a member of a group.

mod alone;
mod format;
mod held_back;
mod member;
mod reading;

use anyhow::bail;

use self::format::Printer;
use crate::Usage;
use crate::args::consume::{ConsumeArgs, Isolation};
use crate::args::position::Position;
use crate::client::offsets::{READ_COMMITTED, READ_UNCOMMITTED};
use crate::client::{Needs, Place, Topic};
use crate::output::{Format, Out};

/// What both ways of reading need to know.
struct Plan {
    topic: String,
    from: Position,
    isolation: i8,
    follow: bool,
    printer: Printer,
    out: Out,
    /// Records still to print; `None` is no limit.
    left: Option<u64>,
}

/// Prints records.
pub(crate) async fn run(args: ConsumeArgs) -> anyhow::Result<()> {
    let printer = match (args.connect.output.format, &args.format) {
        (Format::Json, Some(_)) => {
            bail!(Usage("--format says how to print, and so does --output json".to_owned()))
        }
        (Format::Json, None) => Printer::Json,
        (Format::Table, format) => {
            let pattern = format::parse(format.as_deref().unwrap_or(r"%s\n"));
            Printer::Pattern(pattern.map_err(|error| Usage(format!("--format: {error}")))?)
        }
    };
    let mut client = super::connect(&args.connect).await?;
    let needs = if args.partition.is_empty() { Needs::All } else { Needs::These(&args.partition) };
    let topic = client.topic(&args.topic, false, needs).await?;
    let places = places(&topic, &args.partition)?;
    let isolation = match args.isolation {
        Isolation::Uncommitted => READ_UNCOMMITTED,
        Isolation::Committed => READ_COMMITTED,
    };
    let plan = Plan {
        topic: topic.name,
        from: args.from,
        isolation,
        follow: args.follow || args.from == Position::End,
        printer,
        out: Out::new(),
        left: args.count,
    };
    match &args.group {
        None => alone::run(client, plan, &places).await,
        Some(group) => member::run(client, plan, group, !args.no_commit).await,
    }
}

fn places(topic: &Topic, wanted: &[i32]) -> anyhow::Result<Vec<Place>> {
    let all: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
    if let Some(missing) = wanted.iter().find(|partition| !all.contains(partition)) {
        bail!("topic {} has no partition {missing}: it has {}", topic.name, all.len());
    }
    let chosen = all.into_iter().filter(|partition| wanted.is_empty() || wanted.contains(partition));
    Ok(chosen.map(|partition| Place::new(&topic.name, partition)).collect())
}
