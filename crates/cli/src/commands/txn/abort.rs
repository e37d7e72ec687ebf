//! `pagewire txn abort`: ends a transaction in one partition.

use anyhow::bail;
use pagewire_wire::ErrorCode;

use crate::Usage;
use crate::args::Connect;
use crate::args::txn::AbortArgs;
use crate::client::admin::transactions::{Abort, Producer};
use crate::client::{Client, Error, Place};
use crate::commands::{done::Done, pasted};
use crate::output::Out;

/// Writes the marker, and says so.
pub(crate) async fn run(
    client: &mut Client,
    args: &AbortArgs,
    connect: &Connect,
    out: &mut Out,
) -> anyhow::Result<()> {
    let (topic, partition) = &args.place;
    let name = format!("{topic}:{partition}");
    let mut done = Done::of(1, ("partition", "aborted"), connect.output.format);
    match abort(client, args, connect).await {
        Ok(abort) => {
            let words = format!("transaction of producer {} epoch {} aborted", abort.producer, abort.epoch);
            done.note(&name, words, out)?;
        }
        Err(error) => {
            let hint = hint(&error, &name, connect);
            done.fail(&name, error, hint);
        }
    }
    done.end(out)
}

async fn abort(client: &mut Client, args: &AbortArgs, connect: &Connect) -> anyhow::Result<Abort> {
    let (topic, partition) = &args.place;
    let place = Place::new(topic, *partition);
    super::super::topic::named(client, topic).await?;
    let abort = match (args.start_offset, args.producer_id, args.producer_epoch, args.coordinator_epoch) {
        (Some(offset), ..) => open_at(client, &place, offset, connect).await?,
        (None, Some(producer), Some(epoch), Some(coordinator_epoch)) => {
            must_be_open(client, &place, producer, connect).await?;
            Abort { producer, epoch, coordinator_epoch }
        }
        _ => bail!(Usage("say which with --start-offset, or with --producer-id and the epochs".to_owned())),
    };
    client.abort_transaction(&place, abort).await?;
    Ok(abort)
}

/// The transaction that is open from that offset on.
async fn open_at(
    client: &mut Client,
    place: &Place,
    offset: i64,
    connect: &Connect,
) -> anyhow::Result<Abort> {
    let found = client.producers(std::slice::from_ref(place)).await?;
    let open = found.values().flatten().find(|producer| producer.open_from == Some(offset));
    let Some(open) = open else {
        bail!(
            "{place}: no transaction is open from offset {offset} on: {} shows those that are",
            producers(&format!("{}:{}", place.topic, place.partition), connect)
        );
    };
    let Ok(epoch) = i16::try_from(open.epoch) else { bail!("{place}: {} is no epoch", open.epoch) };
    // Before any coordinator ended something of it there, the first one may.
    Ok(Abort { producer: open.id, epoch, coordinator_epoch: open.coordinator_epoch.max(0) })
}

/// A marker of a producer that has nothing open would end nothing, and stay in the log. Brokers that cannot be asked are
/// believed to have it.
async fn must_be_open(
    client: &mut Client,
    place: &Place,
    producer: i64,
    connect: &Connect,
) -> anyhow::Result<()> {
    let found = match client.producers(std::slice::from_ref(place)).await {
        Err(Error::Unsupported { .. }) => return Ok(()),
        found => found?,
    };
    let is_open = |known: &Producer| known.id == producer && known.open_from.is_some();
    if !found.values().flatten().any(is_open) {
        bail!(
            "{place}: no transaction of producer {producer} is open: {} shows those that are",
            producers(&format!("{}:{}", place.topic, place.partition), connect)
        );
    }
    Ok(())
}

fn producers(place: &str, connect: &Connect) -> String {
    pasted::command(connect, &["txn", "producers", place, "--open"])
}

fn hint(error: &anyhow::Error, place: &str, connect: &Connect) -> String {
    match error.downcast_ref::<Error>().and_then(Error::code) {
        Some(ErrorCode::InvalidProducerEpoch | ErrorCode::TransactionCoordinatorFenced) => {
            format!(": {} shows the epochs", producers(place, connect))
        }
        _ => String::new(),
    }
}
