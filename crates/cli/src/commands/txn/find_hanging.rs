//! `pagewire txn find-hanging`: transactions that are open in a partition and that no coordinator will end.
//!
//! What is open there is held against what coordinators know: a transaction hangs if nobody knows its producer, if its
//! producer goes on with a later epoch, or if what its producer has open does not have this partition in it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pagewire_wire::ErrorCode;
use serde::Serialize;

use crate::args::Connect;
use crate::args::txn::FindHangingArgs;
use crate::client::admin::transactions::{Described, Filter, Producer};
use crate::client::routing::Which;
use crate::client::unanswered::Kept;
use crate::client::{Client, Place};
use crate::commands::{pasted, unanswered};
use crate::output::units::date;
use crate::output::{Format, Out, Table, complain};

#[derive(Serialize)]
struct Row {
    topic: String,
    partition: i32,
    start_offset: i64,
    producer_id: i64,
    producer_epoch: i32,
    last_written: Option<String>,
    transactional_id: Option<String>,
}

/// Lists those that hang, and says how to end them.
pub(crate) async fn run(
    client: &mut Client,
    args: &FindHangingArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let places = places(client, args).await?;
    let before_ms = before(SystemTime::now(), args.longer_than);
    let mut open = Vec::new();
    for (place, producers) in client.producers(&places).await? {
        let old = producers.into_iter().filter(|producer| is_old(producer, before_ms));
        open.extend(old.map(|producer| (place.clone(), producer)));
    }
    // Of what a partition keeps that nobody answers for, producers only seem to be unknown.
    let knows_all = open.is_empty() || !unanswered::tell(client, Kept::Transactions, connect).await?;
    let known = known(client, open.iter().map(|(_, producer)| producer.id).collect()).await?;
    let hanging = open.into_iter().filter(|(place, producer)| {
        hangs(place, producer, known.get(&producer.id).map(|(_, described)| described))
    });
    let rows: Vec<Row> = hanging
        .filter_map(|(place, producer)| {
            Some(Row {
                start_offset: producer.open_from?,
                topic: place.topic,
                partition: place.partition,
                producer_id: producer.id,
                producer_epoch: producer.epoch,
                last_written: producer.last_ms.map(date),
                transactional_id: known.get(&producer.id).map(|(id, _)| id.clone()),
            })
        })
        .collect();
    if connect.output.format == Format::Json {
        return out.json(&rows);
    }
    print(&rows, knows_all, connect, out)
}

/// The partitions that were named and have a leader; all there are where none was.
async fn places(client: &mut Client, args: &FindHangingArgs) -> anyhow::Result<Vec<Place>> {
    if !args.topic.is_empty() {
        return crate::commands::group::places(client, &args.topic).await;
    }
    let (mut places, mut away) = (Vec::new(), 0);
    for topic in client.metadata(Which::All).await? {
        for partition in &topic.partitions {
            match partition.leader {
                Some(_) => places.push(Place::new(&topic.name, partition.index)),
                None => away += 1,
            }
        }
    }
    if away > 0 {
        complain(format_args!("partitions without a leader, which cannot be asked: {away}"));
    }
    Ok(places)
}

/// So long before `now`, in ms.
fn before(now: SystemTime, time: Duration) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(time);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn is_old(producer: &Producer, before_ms: i64) -> bool {
    producer.open_from.is_some() && producer.last_ms.is_none_or(|last| last <= before_ms)
}

/// What coordinators know of these producers: their transactional ids, and what is open.
async fn known(
    client: &mut Client,
    producers: BTreeSet<i64>,
) -> anyhow::Result<BTreeMap<i64, (String, Described)>> {
    let mut known = BTreeMap::new();
    if producers.is_empty() {
        return Ok(known);
    }
    let filter = Filter { producers: producers.into_iter().collect(), ..Filter::default() };
    for listed in client.list_transactions(&filter).await? {
        match client.describe_transaction(&listed.id).await {
            Ok(described) => {
                known.insert(described.producer, (listed.id, described));
            }
            // It expired in between.
            Err(error) if error.code() == Some(ErrorCode::TransactionalIdNotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(known)
}

/// Whether nobody will end what the producer has open there.
fn hangs(place: &Place, producer: &Producer, known: Option<&Described>) -> bool {
    known.is_none_or(|known| {
        // A coordinator that is about to end it has raised the epoch by one.
        let ending = i32::from(known.state.starts_with("Prepare"));
        i32::from(known.epoch) > producer.epoch + ending || !known.partitions.contains(place)
    })
}

fn print(rows: &[Row], knows_all: bool, connect: &Connect, out: &mut Out) -> anyhow::Result<()> {
    if rows.is_empty() {
        return out.line(if knows_all { "no transaction hangs" } else { "no transaction is known to hang" });
    }
    let columns =
        ["TOPIC", ">PARTITION", ">START OFFSET", ">PRODUCER", ">EPOCH", "WRITTEN", "TRANSACTIONAL ID"];
    let mut table = Table::new(&columns);
    for row in rows {
        table.row([
            row.topic.clone(),
            row.partition.to_string(),
            row.start_offset.to_string(),
            row.producer_id.to_string(),
            row.producer_epoch.to_string(),
            row.last_written.clone().unwrap_or_default(),
            row.transactional_id.clone().unwrap_or_default(),
        ]);
    }
    table.print(out)?;
    out.flush()?;
    if !knows_all {
        complain(
            "those without a transactional id may be known to a coordinator that does not answer, and committed: abort none of \
             them before it does",
        );
    } else if let Some(first) = rows.first() {
        let (place, offset) =
            (format!("{}:{}", first.topic, first.partition), first.start_offset.to_string());
        let abort = pasted::command(connect, &["txn", "abort", &place, "--start-offset", &offset]);
        complain(format_args!("{abort} ends the first of them"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn producer(epoch: i32, last_ms: Option<i64>, open_from: Option<i64>) -> Producer {
        Producer { id: 7, epoch, coordinator_epoch: -1, last_sequence: 0, last_ms, open_from }
    }

    fn described(state: &str, epoch: i16, partitions: &[i32]) -> Described {
        Described {
            state: state.into(),
            producer: 7,
            epoch,
            timeout_ms: 1000,
            started_ms: None,
            partitions: partitions.iter().map(|index| Place::new("t", *index)).collect(),
        }
    }

    #[test]
    fn a_transaction_hangs_where_no_coordinator_has_its_partition() {
        let (place, open) = (Place::new("t", 1), producer(3, Some(5), Some(0)));
        assert!(hangs(&place, &open, None), "nobody knows the producer");
        for (state, epoch, partitions, expected) in [
            ("Ongoing", 3, &[0, 2][..], true),
            ("Ongoing", 3, &[1][..], false),
            ("Ongoing", 4, &[1][..], true),
            ("PrepareAbort", 4, &[1][..], false),
            ("PrepareAbort", 5, &[1][..], true),
            ("CompleteAbort", 4, &[][..], true),
        ] {
            let known = described(state, epoch, partitions);
            assert_eq!(hangs(&place, &open, Some(&known)), expected, "{known:?}");
        }
    }

    #[test]
    fn only_what_is_open_and_old_can_hang() {
        assert!(is_old(&producer(0, Some(10), Some(0)), 10));
        assert!(is_old(&producer(0, None, Some(0)), 10), "without a time it is as old as can be");
        assert!(!is_old(&producer(0, Some(11), Some(0)), 10));
        assert!(!is_old(&producer(0, Some(1), None), 10));
        let at = UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(before(at, Duration::from_secs(90)), 10_000);
        assert_eq!(before(at, Duration::from_mins(15)), 0);
    }
}
