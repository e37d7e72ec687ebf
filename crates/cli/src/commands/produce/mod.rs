//! `pagewire produce`: lines in, batches out.

mod line;
mod reader;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{anyhow, bail};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use self::line::LineForm;
use crate::args::produce::{Acks, ProduceArgs};
use crate::client::partitioner::Partitioner;
use crate::client::producer::{Accumulator, Batching, ClosedBatch};
use crate::client::sender::{Progress as Written, Sender, Sending};
use crate::client::{Client, Error, Needs, Topic};
use crate::output::units::{bytes, count, per_second};
use crate::output::{Format, Out, complain, progress::Progress};

/// Closed batches that wait for the sender.
const WAITING: usize = 4;
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Summary {
    topic: String,
    records: u64,
    bytes: u64,
    seconds: f64,
}

/// Writes all lines, says how it went.
pub(crate) async fn run(args: ProduceArgs) -> anyhow::Result<()> {
    let mut client = super::connect(&args.connect).await?;
    let needs = args.partition.as_ref().map_or(Needs::Any, |one| Needs::These(std::slice::from_ref(one)));
    let topic = client.topic(&args.topic, true, needs).await?;
    check_partition(&topic, args.partition)?;
    let batching = batching(&mut client, &args).await?;
    let partitioner =
        Partitioner::new(topic.partitions.len(), args.partition, seed()).among(topic.open_to_writes());
    let written = Arc::new(Written::default());
    let sending =
        Sending { topic: topic.name.clone(), acks: args.acks.code(), timeout: args.connect.timeout };
    let sender = Sender::new(client, &topic, sending, Arc::clone(&written));
    let (batches, arriving) = mpsc::channel(WAITING);
    let work = Work {
        form: LineForm::new(&args),
        accumulator: Accumulator::new(batching, partitioner),
        batches,
        sender: tokio::spawn(sender.run(arriving)),
        written: Arc::clone(&written),
    };
    let started = Instant::now();
    let result = work.run(&args).await;
    let summary = Summary {
        topic: topic.name,
        records: written.records.load(Ordering::Relaxed),
        bytes: written.bytes.load(Ordering::Relaxed),
        seconds: started.elapsed().as_secs_f64(),
    };
    report(&summary, &args, result.is_err())?;
    result
}

fn check_partition(topic: &Topic, wanted: Option<i32>) -> anyhow::Result<()> {
    match wanted {
        Some(wanted) if !topic.partitions.iter().any(|partition| partition.index == wanted) => {
            bail!("topic {} has no partition {wanted}: it has {}", topic.name, topic.partitions.len())
        }
        _ => Ok(()),
    }
}

/// With an identity, unless nobody would answer: without answers nothing is ever sent twice.
async fn batching(client: &mut Client, args: &ProduceArgs) -> Result<Batching, Error> {
    let identity = if args.acks == Acks::None { None } else { client.identity().await? };
    let batch_bytes = usize::try_from(args.batch_bytes).unwrap_or(usize::MAX);
    Ok(Batching { codec: args.codec, batch_bytes, linger: args.linger, identity })
}

/// Different in every run, so that runs of a few records do not all fill the same partition.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id())
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

struct Work {
    form: LineForm,
    accumulator: Accumulator,
    batches: mpsc::Sender<ClosedBatch>,
    sender: JoinHandle<Result<(), Error>>,
    written: Arc<Written>,
}

impl Work {
    async fn run(mut self, args: &ProduceArgs) -> anyhow::Result<()> {
        let stop = super::stop::on_signal()?;
        let (mut lines, size) = reader::start(&args.file)?;
        if !args.quiet && args.file.as_os_str() == "-" && std::io::stdin().is_terminal() {
            complain("every line is a record; Ctrl-D ends");
        }
        let progress = Progress::new(!args.quiet, size);
        let mut tick = tokio::time::interval(TICK);
        let mut closed = Vec::new();
        // What the sender has taken is always seen through; an error of ours is told after it.
        let reading = loop {
            let due = self.accumulator.due();
            let step = tokio::select! {
                read = lines.recv() => match read {
                    Some(Ok(read)) => self.take(&read, &mut closed),
                    Some(Err(error)) => break Err(error),
                    None => break Ok(()),
                },
                () = wait_until(due), if due.is_some() => {
                    self.accumulator.close_due(tokio::time::Instant::now(), &mut closed)
                }
                _ = tick.tick() => {
                    let records = self.written.records.load(Ordering::Relaxed);
                    // A line has an end, too, which the size of a file counts.
                    let read = self.written.bytes.load(Ordering::Relaxed) + records;
                    progress.set(read, format!("{} records", count(records)));
                    Ok(())
                }
                () = stop.cancelled() => break interrupted(args),
                () = self.batches.closed() => break Ok(()),
            };
            if let Err(error) = step {
                break Err(error);
            }
            self.hand_over(&mut closed).await;
        };
        let closing = self.accumulator.close_all(&mut closed);
        self.hand_over(&mut closed).await;
        drop(self.batches);
        let sent = self.sender.await.map_err(|error| anyhow!("sending ended without a word: {error}"));
        progress.clear();
        sent??;
        reading.and(closing)
    }

    fn take(&mut self, lines: &[reader::Line], closed: &mut Vec<ClosedBatch>) -> anyhow::Result<()> {
        for line in lines {
            let record = self.form.record(&line.text);
            let record = record.map_err(|error| anyhow!("line {}: {error}", line.number))?;
            let added = self.accumulator.add(&record, now_ms(), closed);
            added.map_err(|error| error.context(format!("line {}", line.number)))?;
        }
        Ok(())
    }

    /// If the sender has ended, its own result says why.
    async fn hand_over(&mut self, closed: &mut Vec<ClosedBatch>) {
        for batch in closed.drain(..) {
            if self.batches.send(batch).await.is_err() {
                break;
            }
        }
    }
}

/// Ctrl-C is how one ends typing, but it leaves a file half written.
fn interrupted(args: &ProduceArgs) -> anyhow::Result<()> {
    if args.file.as_os_str() == "-" {
        return Ok(());
    }
    bail!("interrupted: the rest of {} is not written", args.file.display())
}

async fn wait_until(at: Option<tokio::time::Instant>) {
    if let Some(at) = at {
        tokio::time::sleep_until(at).await;
    }
}

/// After a failure too: how much was written is what one wants to know then.
fn report(summary: &Summary, args: &ProduceArgs, failed: bool) -> anyhow::Result<()> {
    if args.connect.output.format == Format::Json {
        let mut out = Out::new();
        out.json(summary)?;
        return out.flush();
    }
    if args.quiet || (failed && summary.records == 0) {
        return Ok(());
    }
    complain(format_args!(
        "{} {}, {} in {:.2} s ({} records/s, {}/s)",
        count(summary.records),
        if summary.records == 1 { "record" } else { "records" },
        bytes(summary.bytes),
        summary.seconds,
        count(per_second(summary.records, summary.seconds)),
        bytes(per_second(summary.bytes, summary.seconds)),
    ));
    Ok(())
}
