//! What a broker knows is the same after a clean stop and after a kill.

mod fill;
mod known;
mod member;

use anyhow::{Context as _, Result, ensure};
use pagewire_wire::ErrorCode;

use super::{Cases, Context};
use crate::harness::Broker;
use crate::harness::raw::{self, Producer, Raw};
use fill::fill;
use known::{differences, known};
use member::join;

const KEPT: &str = "kept";
const AGAIN: &str = "made-again";
const SIMPLE: &str = "simple-group";
const LIVE: &str = "live-group";
const TOPIC_RESOURCE: i8 = 2;

/// The part.
pub fn restart(context: &Context<'_>, cases: &Cases<'_>) {
    cases.run("a_topic_takes_records_when_its_creation_is_answered", || usable_at_once(context));
    cases.run("a_clean_stop_keeps_everything", || {
        keeps_everything(context, |broker| {
            let status = broker.stop()?;
            ensure!(status.success(), "SIGTERM ended it with {status}");
            broker.start_again()
        })
    });
    cases.run("a_kill_keeps_everything", || {
        keeps_everything(context, |broker| {
            broker.kill();
            broker.start_again()
        })
    });
    cases.run("five_batches_in_flight_are_known_after_a_stop", || {
        in_flight_across_a_roll(context, |broker| broker.stop().map(drop))
    });
    cases.run("five_batches_in_flight_are_known_after_a_kill", || {
        in_flight_across_a_roll(context, |broker| {
            broker.kill();
            Ok(())
        })
    });
    cases.run("a_producer_goes_on_after_any_number_of_batches", || goes_on_after(context));
    cases.run("ten_restarts_in_a_row_keep_everything", || {
        keeps_everything(context, |broker| {
            for round in 0..10 {
                if round % 2 == 0 {
                    broker.stop()?;
                } else {
                    broker.kill();
                }
                broker.start_again()?;
            }
            Ok(())
        })
    });
}

/// A producer with two batches in flight loses their order when the first is refused and the second is not.
fn usable_at_once(context: &Context<'_>) -> Result<()> {
    let broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    for round in 0..20 {
        let topic = format!("at-once-{round}");
        client.create_topic(&topic, 2, &[])?;
        let answer = client.produce(&topic, 1, raw::batch(&[b"first"], None)?, -1)?;
        ensure!(answer.error_code == 0, "round {round} answered error {}", answer.error_code);
    }
    Ok(())
}

/// A producer may have five batches unanswered when the broker goes, and sends them all again when it is back. They
/// must be known whatever happened in between; here the log rolls between the third and the fourth.
fn in_flight_across_a_roll(context: &Context<'_>, end: impl FnOnce(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    client.create_topic(KEPT, 1, &[("segment.bytes", "1048576")])?;
    let producer = client.init_producer()?;
    let value = vec![b'v'; 300_000];
    for sequence in 0..5 {
        client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?)?;
    }
    end(&mut broker)?;
    broker.start_again()?;
    let mut client = Raw::connect(broker.address())?;
    for sequence in 0..5 {
        let again = client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?);
        let offset = again.with_context(|| format!("batch {sequence} again"))?;
        ensure!(offset == i64::from(sequence), "batch {sequence} again was answered with offset {offset}");
    }
    ensure!(client.offset(KEPT, 0, -1)? == 5, "a batch was appended twice");
    Ok(())
}

/// Kills after every batch, so that segments of one, two and three batches are what the broker starts from.
fn goes_on_after(context: &Context<'_>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    Raw::connect(broker.address())?.create_topic(KEPT, 1, &[("segment.bytes", "1048576")])?;
    let producer = Raw::connect(broker.address())?.init_producer()?;
    let value = vec![b'v'; 300_000];
    for sequence in 0..8 {
        let mut client = Raw::connect(broker.address())?;
        let appended = client.append(KEPT, 0, &raw::batch(&[&value], Some((producer, sequence)))?);
        let offset = appended.with_context(|| format!("batch {sequence}"))?;
        ensure!(offset == i64::from(sequence), "batch {sequence} went to offset {offset}");
        broker.kill();
        broker.start_again()?;
    }
    Ok(())
}

fn keeps_everything(context: &Context<'_>, restart: impl FnOnce(&mut Broker) -> Result<()>) -> Result<()> {
    let mut broker = Broker::start(&context.binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    let producer = fill(&mut client)?;
    let member = join(&mut client)?;
    let before = known(&mut client)?;

    restart(&mut broker)?;

    let mut client = Raw::connect(broker.address())?;
    member.still_belongs(&mut client)?;
    let after = known(&mut client)?;
    differences(&before, &after)?;
    producer_goes_on(&mut client, producer)
}

/// True when all is well, false when the coordinator is not there yet, else an error.
fn retriable(codes: &[i16]) -> Result<bool> {
    if codes.iter().all(|&code| code == 0) {
        return Ok(true);
    }
    let wait =
        [ErrorCode::CoordinatorLoadInProgress, ErrorCode::CoordinatorNotAvailable, ErrorCode::NotCoordinator];
    ensure!(codes.iter().all(|&code| code == 0 || wait.iter().any(|w| w.code() == code)), "errors {codes:?}");
    Ok(false)
}

/// The last batch again is answered with its old offset; the next one is taken; one out of order is not.
fn producer_goes_on(client: &mut Raw, producer: Producer) -> Result<()> {
    let end = client.offset(KEPT, 1, -1)?;
    let again = client.append(KEPT, 1, &raw::batch(&[b"one", b"two"], Some((producer, 4)))?)?;
    ensure!(again == 4, "the last batch again was answered with offset {again}, not 4");
    ensure!(client.offset(KEPT, 1, -1)? == end, "the last batch again was appended again");
    let gap = client.produce(KEPT, 1, raw::batch(&[b"later"], Some((producer, 50)))?, -1)?;
    ensure!(
        gap.error_code == ErrorCode::OutOfOrderSequenceNumber.code(),
        "a gap was answered with {}",
        gap.error_code
    );
    let next = client.append(KEPT, 1, &raw::batch(&[b"three"], Some((producer, 6)))?)?;
    ensure!(next == end, "the next batch went to offset {next}, not {end}");
    Ok(())
}
