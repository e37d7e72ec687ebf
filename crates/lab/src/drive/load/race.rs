//! One round: runners on threads, counters they share, and a clock beside them that watches both.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::set_current_timer_slack;

use crate::drive::client::{Error, Result, Stop};
use crate::drive::latency::Latencies;

/// The timeline has a point so often.
const TICK: Duration = Duration::from_millis(250);
/// A sleep looks so often whether the round is over.
const LOOK: Duration = Duration::from_millis(100);
/// A runner needs little; many connections have many runners.
const STACK: usize = 256 << 10;

/// When a round's work begins, and when it ends.
#[derive(Debug, Clone, Copy)]
pub(in crate::drive) struct Limits {
    /// Work on a schedule begins so late that all threads run; this time does not count.
    pub(in crate::drive) lead_in: Duration,
    /// It ends after so long.
    pub(in crate::drive) length: Duration,
    /// It ends after so many bytes, if that is sooner.
    pub(in crate::drive) bytes: u64,
}

/// Does a share of a round's work and answers the latencies it saw.
pub(in crate::drive) type Runner<'a> = Box<dyn FnOnce(&Race) -> Result<Latencies> + Send + 'a>;

/// A runner that does this.
pub(super) fn runner<'a>(work: impl FnOnce(&Race) -> Result<Latencies> + Send + 'a) -> Runner<'a> {
    Box::new(work)
}

/// What the runners of a round share.
#[derive(Debug)]
pub(in crate::drive) struct Race {
    start: Instant,
    end: Instant,
    limit: u64,
    bytes: AtomicU64,
    records: AtomicU64,
    requests: AtomicU64,
    over: AtomicBool,
    stop: Stop,
}

impl Race {
    /// When it starts: a little in the future at first, if there is a lead-in.
    pub(super) fn start(&self) -> Instant {
        self.start
    }

    /// When it is over at the latest.
    pub(super) fn deadline(&self) -> Instant {
        self.end
    }

    /// Whether to begin nothing more.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) || self.stop.is_set()
    }

    /// Sleeps until then, or until there is nothing more to begin.
    pub(super) fn sleep_until(&self, then: Instant) {
        loop {
            let left = then.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_over() {
                return;
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// Counts a request that was answered, or sent where no answer is wanted.
    pub(super) fn count(&self, bytes: u64, records: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        if self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes >= self.limit {
            self.end();
        }
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// What came of a round.
#[derive(Debug, Default)]
pub(in crate::drive) struct Lap {
    /// How long it took, from its start to the end of the last runner.
    pub(in crate::drive) seconds: f64,
    /// Bytes of batches.
    pub(in crate::drive) bytes: u64,
    /// Records in them.
    pub(in crate::drive) records: u64,
    /// Requests, of every kind.
    pub(in crate::drive) requests: u64,
    /// Latencies of all runners.
    pub(in crate::drive) latencies: Latencies,
    /// Seconds since the beginning, and MB a second in the time before.
    pub(in crate::drive) timeline: Vec<(f64, f64)>,
}

/// Runs a round to its end. The first error ends it for all.
pub(in crate::drive) fn run(limits: Limits, stop: &Stop, runners: Vec<Runner<'_>>) -> Result<Lap> {
    let start = Instant::now() + limits.lead_in;
    let race = Race {
        start,
        end: start + limits.length,
        limit: limits.bytes,
        bytes: AtomicU64::new(0),
        records: AtomicU64::new(0),
        requests: AtomicU64::new(0),
        over: AtomicBool::new(false),
        stop: stop.clone(),
    };
    let mut lap = Lap::default();
    thread::scope(|scope| {
        let (done, ended) = channel();
        for runner in runners {
            let (race, done) = (&race, done.clone());
            let work = move || {
                wake_in_time();
                // The other end waits until every runner has spoken.
                let _ = done.send(runner(race));
            };
            let spawned = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
            if let Err(error) = spawned {
                race.end();
                return Err(no_thread(&error));
            }
        }
        drop(done);
        watch(&race, limits.length, &ended, &mut lap)
    })?;
    lap.bytes = race.bytes.into_inner();
    lap.records = race.records.into_inner();
    lap.requests = race.requests.into_inner();
    if stop.is_set() { Err(Error::Stopped) } else { Ok(lap) }
}

/// This thread's sleeps end when they are over, not up to 50 us later as the kernel has it for programs at large.
fn wake_in_time() {
    // Refused to nobody on Linux; the client would be a little later, as `behind_ms` tells.
    let _ = set_current_timer_slack(NonZero::new(1));
}

/// Waits for all runners; ends the race in time, and at the first error.
fn watch(race: &Race, length: Duration, ended: &Receiver<Result<Latencies>>, lap: &mut Lap) -> Result<()> {
    let mut first_error = None;
    let mut last = (Duration::ZERO, 0);
    loop {
        let now = race.start.elapsed();
        if now >= length {
            race.end();
        }
        let wait = (last.0 + TICK).min(length.max(now + TICK)).saturating_sub(now);
        match ended.recv_timeout(wait) {
            Ok(Ok(latencies)) => lap.latencies.add(&latencies),
            Ok(Err(error)) => {
                race.end();
                first_error.get_or_insert(error);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = race.start.elapsed();
        if now >= last.0 + TICK {
            last = point(race, now, last, lap);
        }
    }
    let now = race.start.elapsed();
    lap.seconds = now.as_secs_f64();
    if lap.timeline.is_empty() || now >= last.0 + TICK / 2 {
        point(race, now, last, lap);
    }
    first_error.map_or(Ok(()), Err)
}

/// Adds a point to the timeline.
fn point(race: &Race, now: Duration, last: (Duration, u64), lap: &mut Lap) -> (Duration, u64) {
    let bytes = race.bytes.load(Ordering::Relaxed);
    let seconds = now.saturating_sub(last.0).as_secs_f64().max(1e-9);
    lap.timeline.push((now.as_secs_f64(), bytes.saturating_sub(last.1) as f64 / 1e6 / seconds));
    (now, bytes)
}

fn no_thread(error: &std::io::Error) -> Error {
    Error::Local {
        what: "every connection needs a thread".to_owned(),
        advice: format!("{error}: raise `ulimit -u`, or use fewer --busy connections"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(length: Duration, bytes: u64) -> Limits {
        Limits { lead_in: Duration::ZERO, length, bytes }
    }

    #[test]
    fn a_round_ends_at_its_limit_of_bytes_and_counts_all_runners() {
        let work = |race: &Race| {
            let mut latencies = Latencies::default();
            while !race.is_over() {
                race.count(1000, 10);
                latencies.record(Duration::from_micros(1));
            }
            Ok(latencies)
        };
        let runners: Vec<Runner<'_>> = vec![Box::new(work), Box::new(work)];
        let lap = run(limits(Duration::from_hours(1), 1_000_000), &Stop::default(), runners).unwrap();
        assert!(lap.bytes >= 1_000_000 && lap.bytes < 1_010_000, "{lap:?}");
        assert_eq!((lap.records, lap.requests), (lap.bytes / 100, lap.bytes / 1000));
        assert!(!lap.latencies.is_empty() && !lap.timeline.is_empty());
    }

    #[test]
    fn runners_are_woken_to_the_nanosecond() {
        let slack = AtomicU64::new(0);
        let work = |_: &Race| {
            slack.store(rustix::thread::current_timer_slack().unwrap(), Ordering::Relaxed);
            Ok(Latencies::default())
        };
        run(limits(Duration::from_hours(1), u64::MAX), &Stop::default(), vec![Box::new(work)]).unwrap();
        assert_eq!(slack.into_inner(), 1);
    }

    #[test]
    fn a_round_ends_in_time_at_an_error_and_when_it_is_stopped() {
        let endless = || -> Runner<'static> {
            Box::new(|race: &Race| {
                while !race.is_over() {
                    thread::yield_now();
                }
                Ok(Latencies::default())
            })
        };
        let long = limits(Duration::from_hours(1), u64::MAX);
        run(limits(Duration::from_millis(1), u64::MAX), &Stop::default(), vec![endless()]).unwrap();

        let failing: Runner<'_> =
            Box::new(|_| Error::check(36, None, || "t".into()).map(|()| Latencies::default()));
        let error = run(long, &Stop::default(), vec![endless(), failing]).unwrap_err();
        assert!(error.code().is_some(), "{error}");

        let stop = Stop::default();
        stop.set();
        assert!(matches!(run(long, &stop, vec![endless()]), Err(Error::Stopped)));
    }
}
