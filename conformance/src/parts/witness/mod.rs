//! Apache Kafka as a witness: its tools and its broker read what ours wrote, and its cleaner compacts what ours
//! compacts.
//!
//! ```text
//!   workload.rs    our broker under every kind of load: codecs, rolls, kills, retention, deletion, compaction, groups
//!   dump.rs        DumpLogSegments over every file of it: any line that is not known to be harmless is an accusation
//!   alike.rs       `log dump` over the same files prints what DumpLogSegments does
//!   adopt.rs       Kafka's broker on a copy: it serves the same bytes, knows the same producers and committed offsets
//!   compaction/    the same records into both, compacted by both: the same records stay
//! ```
//!
//! Transactions are the part `takeover`'s, where Kafka's own producers write them. Two cases run at a time; what
//! several of them need is made once. Without Java or Maven nothing here can run, which is said.

mod adopt;
mod alike;
pub(super) mod compaction;
mod dump;
mod keyed;
mod workload;

use super::kafka::Oracle;
use super::once::Once;
use super::{Cases, Context, Job};
use workload::{COMPACTED, Moment, Story};

pub(super) use alike::says_the_same;
pub(super) use dump::says_nothing;

/// Cases at a time: each waits for a broker or a cleaner now and then.
const LANES: usize = 2;

/// The part.
pub fn witness(context: &Context<'_>, cases: &Cases<'_>) {
    let oracle = match Oracle::of(context) {
        Ok(oracle) => oracle,
        Err(reason) => return cases.skip("kafka", &format!("{reason:#}")),
    };
    let oracle = &oracle;
    let (story, prepared, both) = (Once::new(), Once::new(), Once::new());
    let story = || story.get(|| Story::tell(&context.binary));
    let prepared = || prepared.get(|| adopt::prepare(oracle));
    let dump = |name, moment| Job::new(name, move || says_nothing(oracle, &story()?.at(moment), &COMPACTED));
    let adopt = |name, moment, mark| {
        Job::new(name, move || {
            let (story, prepared) = (story()?, prepared()?);
            let known = if matches!(moment, Moment::Stopped) { &story.stopped } else { &story.killed };
            adopt::goes_on_where_we_stopped(oracle, prepared, &story.at(moment), known, mark)
        })
    };
    let mut jobs = vec![dump("dump_log_segments_says_nothing_after_a_clean_stop", Moment::Stopped)];
    jobs.push(Job::new("log_dump_says_of_our_files_what_dump_log_segments_says", move || {
        let kinds = ["log", "index", "timeindex", "snapshot"];
        says_the_same(oracle, &context.binary, &story()?.at(Moment::Stopped), &kinds)
    }));
    jobs.extend(compaction::jobs(context, oracle, &both));
    jobs.extend([
        dump("dump_log_segments_says_nothing_after_a_kill", Moment::Killed),
        dump("dump_log_segments_says_nothing_after_recovery", Moment::Recovered),
        dump("dump_log_segments_says_nothing_after_a_restore", Moment::Restored),
        adopt("kafka_serves_what_we_stopped_serving", Moment::Stopped, true),
        adopt("kafka_recovers_what_we_stopped_serving", Moment::Stopped, false),
        adopt("kafka_recovers_what_a_kill_left", Moment::Killed, false),
        adopt("kafka_serves_what_we_recovered", Moment::Recovered, true),
    ]);
    cases.side_by_side(LANES, jobs);
    cases.run("dump_log_segments_says_nothing_after_compaction", || {
        compaction::says_nothing(context, oracle, both.into_made())
    });
}
