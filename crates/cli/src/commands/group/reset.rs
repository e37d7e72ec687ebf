//! `pagewire group reset`: shows new offsets, and sets them where that is wanted.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use pagewire_wire::{ErrorCode, Str};
use serde::Serialize;

use crate::Usage;
use crate::args::group::ResetArgs;
use crate::client::offsets::{Committer, READ_UNCOMMITTED};
use crate::client::{Client, Place};
use crate::commands::positions::{self, Limits};
use crate::output::{Format, Out, Table, complain};

#[derive(Debug, Serialize)]
struct Row {
    topic: String,
    partition: i32,
    old: Option<i64>,
    new: i64,
}

#[derive(Debug, Serialize)]
struct Page {
    group: String,
    executed: bool,
    offsets: Vec<Row>,
    skipped: Vec<Skipped>,
}

/// What cannot be reset: it does not exist any more, or nobody leads it.
#[derive(Debug, Serialize)]
struct Skipped {
    topic: String,
    partition: i32,
}

/// Resets, or shows what would be done.
pub(crate) async fn run(
    client: &mut Client,
    args: &ResetArgs,
    format: Format,
    out: &mut Out,
) -> anyhow::Result<()> {
    check_idle(client, &args.group).await?;
    let committed = client.committed(&args.group).await?;
    let (places, skipped) = if args.all_topics {
        let mut places: BTreeSet<Place> = committed.keys().cloned().collect();
        let skipped = super::keep_existing(client, &mut places).await?;
        if places.is_empty() {
            bail!("group {} has no offsets of topics that exist: name topics with --topic", args.group);
        }
        (places.into_iter().collect(), skipped)
    } else {
        (super::places(client, &args.topic).await?, Vec::new())
    };
    for place in &skipped {
        complain(format_args!("{place} does not exist or has no leader: its offset stays as it is"));
    }
    let limits = positions::limits(client, &places, READ_UNCOMMITTED).await?;
    let plan = match (args.to, args.shift_by) {
        (Some(to), _) => positions::resolve(client, to, &limits, READ_UNCOMMITTED).await?,
        (None, Some(by)) => shift(&committed, &limits, by),
        (None, None) => bail!(Usage("say where to with --to or --shift-by".to_owned())),
    };
    if args.execute {
        let tool = Committer { group: args.group.clone(), member: Str::new(), generation: -1 };
        client.commit(&tool, &plan).await?;
    }
    let row = |(place, new): (&Place, &i64)| Row {
        topic: place.topic.clone(),
        partition: place.partition,
        old: committed.get(place).copied(),
        new: *new,
    };
    let skipped = skipped.into_iter().map(|Place { topic, partition }| Skipped { topic, partition });
    let page = Page {
        group: args.group.clone(),
        executed: args.execute,
        offsets: plan.iter().map(row).collect(),
        skipped: skipped.collect(),
    };
    match format {
        Format::Json => out.json(&page)?,
        Format::Table => print(&page, out)?,
    }
    out.flush()?;
    if !args.execute && format == Format::Table {
        complain("nothing was changed: --execute does it");
    }
    Ok(())
}

/// Members would go on where they are and commit over what is set here. A group nobody knows may be set up.
async fn check_idle(client: &mut Client, group: &str) -> anyhow::Result<()> {
    match client.describe_group(group).await {
        Ok(described) if !described.members.is_empty() => bail!(
            "group {group} is {} and has members ({}): stop them first",
            described.state,
            described.members.len()
        ),
        Err(error) if error.code() != Some(ErrorCode::GroupIdNotFound) => Err(error.into()),
        _ => Ok(()),
    }
}

/// From where the group is, or from the beginning where it has no offset, but not out of what a partition holds.
fn shift(
    committed: &BTreeMap<Place, i64>,
    limits: &BTreeMap<Place, Limits>,
    by: i64,
) -> BTreeMap<Place, i64> {
    let shifted = |(place, limits): (&Place, &Limits)| {
        let old = committed.get(place).copied().unwrap_or(limits.start);
        (place.clone(), limits.clamp(old.saturating_add(by)))
    };
    limits.iter().map(shifted).collect()
}

fn print(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    let mut table = Table::new(&["TOPIC", ">PARTITION", ">OLD", ">NEW"]);
    for row in &page.offsets {
        let old = row.old.map(|offset| offset.to_string()).unwrap_or_default();
        table.row([row.topic.clone(), row.partition.to_string(), old, row.new.to_string()]);
    }
    table.print(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_stays_within_what_a_partition_holds() {
        let place = |partition| Place::new("t", partition);
        let committed = BTreeMap::from([(place(0), 20), (place(1), 49)]);
        let limits: BTreeMap<_, _> =
            (0..3).map(|partition| (place(partition), Limits { start: 10, end: 50 })).collect();
        let offsets = |by| shift(&committed, &limits, by).into_values().collect::<Vec<_>>();
        assert_eq!(offsets(5), [25, 50, 15]);
        assert_eq!(offsets(-15), [10, 34, 10]);
        assert_eq!(offsets(i64::MAX), [50, 50, 50]);
        assert_eq!(offsets(i64::MIN), [10, 10, 10]);
    }
}
