//! The same requests to ours and to Apache Kafka, and their answers compared field by field.
//!
//! ```text
//!   compare/cases/*.txt   what is asked, one file for each API           script.rs, notation.rs
//!   encode, batches       a request as its case writes it                (by shapes, not by our codec's structures)
//!   side                  one of the two brokers                         variables.rs: what it gave a name to
//!   decode, plain         an answer, and of it what can be compared
//!   differ                where two answers differ; compare/differences.txt: where they may, and why
//!   page                  docs/compatibility.md; compare/tools.txt is its part about Kafka's tools, written by hand
//! ```
//!
//! Requests in orders that seeds decide: sequences.
//!
//! A difference that is not in the table fails its API's case; a row of the table that finds no difference any more
//! fails too. Every case begins with fresh connections and a word of its own (`$run`) for the names of what it makes.
//! What was found, known or not, lies in `target/conformance/compare/`.

mod batches;
mod decode;
mod differ;
mod encode;
mod notation;
mod page;
mod plain;
mod script;
mod sequences;
mod side;
mod step;
mod tables;
mod variables;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;

use super::kafka::{Kafka, Oracle};
use super::{Cases, Context};
use crate::harness::Broker;
use crate::harness::raw::Raw;
use differ::{Difference, differences};
use script::{Case, Script};
use side::{Heard, Side};
use step::Step;
use tables::Tables;

pub use page::page;
pub use sequences::sequences;

/// Of both brokers: nobody has to wait for a group to begin, and neither records of long ago nor members that say
/// nothing are dropped meanwhile.
const SETTINGS: &[&str] = &[
    "group.initial.rebalance.delay.ms=0",
    "log.retention.ms=-1",
    "group.consumer.max.session.timeout.ms=600000",
    "group.consumer.session.timeout.ms=600000",
];
/// So many differences are told of one API; all are in its file.
const TOLD_MAX: usize = 5;

/// The part.
pub fn compare(context: &Context<'_>, cases: &Cases<'_>) {
    let tables = match Tables::read(context.workspace) {
        Ok(tables) => tables,
        Err(error) => return cases.fail("tables", &error),
    };
    at_both(context, cases, SETTINGS, |ours, theirs| {
        cases.run("every_advertised_version_has_its_cases", || advertised(ours, &tables.scripts));
        let folder = context.workspace.cache("compare");
        for script in &tables.scripts {
            cases.run(script.api.name(), || {
                let folder = folder.as_ref().map_err(|error| anyhow::anyhow!("{error:#}"))?;
                let mut both = Both { ours: Side::new(ours), theirs: Side::new(theirs) };
                let seen = both.play(script)?;
                judge(script, &seen, &tables, folder)
            });
        }
    });
}

/// Starts ours, and Kafka unless one is running already, and does something with their addresses.
fn at_both(context: &Context<'_>, cases: &Cases<'_>, settings: &[&str], work: impl FnOnce(&str, &str)) {
    let broker = match Broker::start(&context.binary, settings) {
        Ok(broker) => broker,
        Err(error) => return cases.fail("broker", &error),
    };
    if let Some(theirs) = &context.outside {
        return work(broker.address(), theirs);
    }
    let oracle = match Oracle::of(context) {
        Ok(oracle) => oracle,
        Err(reason) => return cases.skip("everything", &format!("{reason:#}")),
    };
    let started = Kafka::format(&oracle, settings).and_then(|mut kafka| kafka.start().map(|()| kafka));
    match started {
        Ok(kafka) => work(broker.address(), kafka.address()),
        Err(error) => cases.fail("kafka", &error),
    }
}

/// The lowest and the highest version that ours advertises of each API are the ones that its file names.
fn advertised(address: &str, scripts: &[Script]) -> Result<()> {
    let answer = Raw::connect(address)?.call(&ApiVersionsRequest::default(), 2)?;
    for row in &answer.api_keys {
        let script = scripts.iter().find(|script| script.api.code() == row.api_key);
        let script = script.with_context(|| format!("API {} has no file of cases", row.api_key))?;
        let named = (script.versions.first(), script.versions.last());
        // Of Produce some versions are advertised that nobody serves, for the sake of librdkafka (KAFKA-18659).
        let lowest = row.min_version.max(*script.api.valid_versions().start());
        ensure!(
            named == (Some(&lowest), Some(&row.max_version)),
            "{} is served in {lowest} to {}, compared in {named:?}",
            script.api,
            row.max_version
        );
    }
    ensure!(answer.api_keys.len() == scripts.len(), "there are cases of APIs that are not advertised");
    Ok(())
}

/// What came of an API's cases: how many answers were compared, and how they differ.
#[derive(Debug, Default)]
struct Seen {
    compared: usize,
    differences: Vec<Difference>,
    /// Cases that did not come to their end.
    broken: Vec<String>,
}

/// The two brokers, doing the same.
struct Both {
    ours: Side,
    theirs: Side,
}

impl Both {
    fn play(&mut self, script: &Script) -> Result<Seen> {
        let mut seen = Seen::default();
        self.prepare(&script.given)?;
        for case in &script.cases {
            for &version in &case.versions {
                let run = format!("{}-{}-{version}", script.api.name().to_ascii_lowercase(), case.name);
                if let Err(error) = self.case(&run, case, version, &mut seen) {
                    seen.broken.push(format!("{}@{version}: {error:#}", case.name));
                }
            }
        }
        Ok(seen)
    }

    /// What must be there before anything is asked.
    fn prepare(&mut self, given: &[Step]) -> Result<()> {
        self.ours.prepare().context("ours")?;
        self.theirs.prepare().context("Kafka")?;
        given.iter().try_for_each(|step| self.step(step, 0).map(drop))
    }

    /// Begins something that has nothing to do with what was before.
    fn begin(&mut self, run: &str) {
        for side in [&mut self.ours, &mut self.theirs] {
            side.hang_up();
            side.variables.set("run", run.to_owned());
        }
    }

    fn case(&mut self, run: &str, case: &Case, version: i16, seen: &mut Seen) -> Result<()> {
        self.begin(run);
        for (number, step) in case.steps.iter().enumerate() {
            let heard = self.step(step, version).with_context(|| format!("step {}", number + 1))?;
            if let Some((ours, theirs)) = heard {
                seen.compared += 1;
                seen.differences.extend(differences(&case.name, version, &ours, &theirs));
            }
        }
        Ok(())
    }

    /// A step at both, and what came of it where that is to be compared.
    fn step(&mut self, step: &Step, version: i16) -> Result<Option<(Heard, Heard)>> {
        let ours = self.ours.step(step, version).context("ours")?;
        let theirs = self.theirs.step(step, version).context("Kafka")?;
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                let ours = comparable(ours, &self.ours);
                Ok(Some((ours, comparable(theirs, &self.theirs))))
            }
            (None, None) => Ok(None),
            _ => bail!("a step that is compared on one side only"),
        }
    }
}

fn comparable(heard: Heard, side: &Side) -> Heard {
    match heard {
        Heard::Answer(answer) => Heard::Answer(plain::plain(&answer, &side.variables)),
        other => other,
    }
}

/// Writes down what was found; fails with what is not known, and with what is known and was not found.
fn judge(script: &Script, seen: &Seen, tables: &Tables, folder: &Path) -> Result<()> {
    let api = script.api.name();
    let mut log = format!("{api}: {} answers compared\n", seen.compared);
    for broken in &seen.broken {
        let _ = writeln!(log, "BROKEN {broken}");
    }
    let mut unknown = Vec::new();
    for difference in &seen.differences {
        let is_known = tables.known.iter().any(|row| row.matches(api, difference));
        let mark = if is_known { "known" } else { "NEW  " };
        let _ = writeln!(log, "{mark} {difference}");
        unknown.extend((!is_known).then(|| difference.to_string()));
    }
    fs::write(folder.join(format!("{api}.txt")), log)?;
    let gone: Vec<String> = tables
        .known
        .iter()
        .filter(|row| row.api == api && row.is_gone(api, &seen.differences))
        .map(ToString::to_string)
        .collect();
    ensure!(seen.broken.is_empty(), "cases without an end: {}", told(&seen.broken));
    ensure!(
        unknown.is_empty(),
        "{} differences are not in compare/differences.txt: {}",
        unknown.len(),
        told(&unknown)
    );
    ensure!(gone.is_empty(), "compare/differences.txt has what does not differ any more: {}", told(&gone));
    Ok(())
}

fn told(all: &[String]) -> String {
    all.iter().take(TOLD_MAX).cloned().collect::<Vec<_>>().join("; ")
}
