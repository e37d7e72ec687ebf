//! `pagewire group describe`: who is in it, how far it is, how far behind.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::args::Connect;
use crate::args::group::DescribeArgs;
use crate::client::admin::groups::Member;
use crate::client::offsets::{LATEST, READ_UNCOMMITTED};
use crate::client::unanswered::Kept;
use crate::client::{Client, Place};
use crate::commands::{failures::Failures, pages, unanswered};
use crate::output::units::count;
use crate::output::{Out, Table};

#[derive(Serialize)]
struct Page {
    group: String,
    state: String,
    #[serde(rename = "type")]
    kind: &'static str,
    assignor: String,
    coordinator: i32,
    lag: i64,
    members: Vec<MemberRow>,
    offsets: Vec<OffsetRow>,
}

#[derive(Serialize)]
struct MemberRow {
    member: String,
    instance: Option<String>,
    client: String,
    host: String,
    partitions: usize,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OffsetRow {
    topic: String,
    partition: i32,
    committed: Option<i64>,
    end: Option<i64>,
    lag: Option<i64>,
    member: Option<String>,
}

/// Shows each; one that cannot be shown does not hide the others.
pub(crate) async fn run(
    client: &mut Client,
    args: &DescribeArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let groups: Vec<String> = if args.all {
        client.list_groups(&[]).await?.into_iter().map(|listed| listed.group).collect()
    } else {
        args.groups.clone()
    };
    if args.all {
        unanswered::tell(client, Kept::Groups, connect).await?;
    }
    let (mut pages, mut failures) = (Vec::new(), Failures::of(groups.len()));
    for group in &groups {
        match page(client, group).await {
            Ok(page) => pages.push(page),
            Err(error) => failures.note(error, ""),
        }
    }
    pages::show(&pages, connect.output.format, out, print)?;
    failures.end()
}

async fn page(client: &mut Client, group: &str) -> anyhow::Result<Page> {
    let described = client.describe_group(group).await?;
    let committed = client.committed(group).await?;
    let assigned = described.members.iter().flat_map(|member| &member.assigned);
    let mut wanted: BTreeSet<Place> = committed.keys().chain(assigned).cloned().collect();
    // What is gone has no end that could be asked for.
    super::keep_existing(client, &mut wanted).await?;
    let ends = wanted.into_iter().map(|place| (place, LATEST)).collect();
    let ends = client.offsets(&ends, READ_UNCOMMITTED).await?;
    let offsets = rows(&committed, &ends, &described.members);
    Ok(Page {
        lag: offsets.iter().filter_map(|row| row.lag).sum(),
        offsets,
        members: described.members.iter().map(member_row).collect(),
        group: described.group,
        state: described.state,
        kind: described.kind,
        assignor: described.assignor,
        coordinator: described.coordinator,
    })
}

/// A row for every partition that has an offset, or an owner.
fn rows(committed: &BTreeMap<Place, i64>, ends: &BTreeMap<Place, i64>, members: &[Member]) -> Vec<OffsetRow> {
    let mut owners = BTreeMap::new();
    for member in members {
        owners.extend(member.assigned.iter().map(|place| (place, &member.id)));
    }
    let places: BTreeSet<&Place> = committed.keys().chain(owners.keys().copied()).collect();
    let row = |place: &Place| {
        let (committed, end) = (committed.get(place).copied(), ends.get(place).copied());
        OffsetRow {
            topic: place.topic.clone(),
            partition: place.partition,
            committed,
            end,
            lag: committed.zip(end).map(|(committed, end)| (end - committed).max(0)),
            member: owners.get(place).map(|id| (*id).clone()),
        }
    };
    places.into_iter().map(row).collect()
}

fn member_row(member: &Member) -> MemberRow {
    MemberRow {
        member: member.id.clone(),
        instance: member.instance.clone(),
        client: member.client.clone(),
        host: member.host.clone(),
        partitions: member.assigned.len(),
    }
}

fn print(page: &Page, out: &mut Out) -> anyhow::Result<()> {
    let assignor =
        if page.assignor.is_empty() { String::new() } else { format!("  assignor {}", page.assignor) };
    out.line(format_args!(
        "group {}  {}  {}{assignor}  coordinator {}  members {}  lag {}",
        page.group,
        page.kind,
        page.state,
        page.coordinator,
        page.members.len(),
        count(u64::try_from(page.lag).unwrap_or_default())
    ))?;
    if !page.offsets.is_empty() {
        let text = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
        let mut table = Table::new(&["TOPIC", ">PARTITION", ">COMMITTED", ">END", ">LAG", "MEMBER"]);
        for row in &page.offsets {
            table.row([
                row.topic.clone(),
                row.partition.to_string(),
                text(row.committed),
                text(row.end),
                text(row.lag),
                row.member.clone().unwrap_or_default(),
            ]);
        }
        table.print(out)?;
    }
    if !page.members.is_empty() {
        out.line("")?;
        let mut table = Table::new(&["MEMBER", "INSTANCE", "CLIENT", "HOST", ">PARTITIONS"]);
        for row in &page.members {
            let instance = row.instance.clone().unwrap_or_default();
            let partitions = row.partitions.to_string();
            table.row([row.member.clone(), instance, row.client.clone(), row.host.clone(), partitions]);
        }
        table.print(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_known_where_both_ends_are_and_never_below_zero() {
        let place = |partition| Place::new("t", partition);
        let committed = BTreeMap::from([(place(0), 5), (place(1), 9), (place(2), 1)]);
        let ends = BTreeMap::from([(place(0), 8), (place(1), 7), (place(3), 4)]);
        let member = Member {
            id: "m".into(),
            instance: None,
            client: "c".into(),
            host: "h".into(),
            assigned: vec![place(3)],
        };
        let rows = rows(&committed, &ends, &[member]);
        assert_eq!(rows.iter().map(|row| row.lag).collect::<Vec<_>>(), [Some(3), Some(0), None, None]);
        assert_eq!(rows[3].member.as_deref(), Some("m"));
        assert_eq!(rows[3].end, Some(4));
    }
}
