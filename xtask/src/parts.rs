//! The table of what `cargo xtask test` runs, in order: the cheap and the likely to fail first; of those that run side by side the
//! longest.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Result, bail};

use crate::{
    docs, layers, report,
    report::{Outcome, Row},
    run::{Step, cargo, in_ci},
    zcopy,
};

/// One part of the tests.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    run: fn(&Path) -> Result<Outcome>,
    beside: Beside,
}

/// What a part shares the machine with. Of the same kind in a row, as many run side by side as there are lanes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    /// Two of the same profile wait for each other; of others one uses the cores that the end of the other leaves idle.
    Builds,
    /// Suites wait more than they work, and ask for nothing but ports of their own.
    Suites,
}

/// So many run side by side.
const LANES: usize = 2;

/// A part that builds.
const fn builds(name: &'static str, what: &'static str, run: fn(&Path) -> Result<Outcome>) -> Part {
    Part { name, what, run, beside: Beside::Builds }
}

/// What only the whole broker can show, real clients and programs among it. Each name is a suite of `pagewire-conformance`.
macro_rules! suite {
    ($name:literal, $what:literal) => {
        Part { name: $name, what: $what, run: |root| conformance(root, $name), beside: Beside::Suites }
    };
}

/// Every part.
pub(crate) static PARTS: &[Part] = &[
    Part {
        name: "fmt",
        what: "rustfmt has nothing to change",
        run: |root| cargo(root, &["fmt", "--all", "--check"]).run(),
        beside: Beside::Nothing,
    },
    Part {
        name: "layers",
        what: "crates import only downwards",
        run: |root| Outcome::of(layers::check(root)?),
        beside: Beside::Nothing,
    },
    builds("clippy", "no lint complains", clippy),
    builds("build", "the release binary", |root| cargo(root, &["build", "--release"]).run()),
    builds("docs", "rustdoc without warnings, generated pages up to date", documentation),
    builds(
        "zcopy",
        "the transfer crate by itself: every set of features, and systems with nothing but the copy",
        zcopy::check,
    ),
    builds("unit", "unit, property and crate-level tests", unit),
    builds("fuzz", "a bounded run of every fuzz target", fuzz),
    suite!("mirror", "MirrorMaker 2 from Apache Kafka and back: records, groups, settings"),
    suite!("takeover", "what Apache Kafka left is imported and served, and Kafka reads what was added"),
    suite!("witness", "Kafka's tools and Kafka itself find nothing wrong with our files, compacted ones too"),
    suite!("report", "the lab's report in a browser: light, dark, phone, desk"),
    suite!("connect", "Kafka Connect distributed: files through topics, workers killed"),
    suite!("streams", "Kafka Streams counts every input once, killed with and without its broker"),
    suite!(
        "transactions",
        "transactions at random, clients and the broker killed, checked as Jepsen does for Kafka"
    ),
    suite!("compare", "the same requests to ours and to Kafka, answers compared field by field"),
    suite!("sequences", "requests in orders that seeds decide, to ours and to Kafka, answers compared"),
    suite!("java-tools", "Kafka's own command-line tools"),
    suite!("crash", "kill -9 under load, with a ledger of what was acknowledged"),
    suite!("hostile", "malformed frames and greedy clients cost only themselves"),
    suite!("java", "Kafka's own Java clients"),
    suite!("librdkafka", "a current librdkafka, through confluent-kafka"),
    suite!("kafka-python", "kafka-python, newest and older versions"),
    suite!("kcat", "kcat as Debian ships it"),
    suite!("aiokafka", "aiokafka"),
    suite!("franz-go", "franz-go, newest and older versions"),
    suite!("kafkajs", "kafkajs"),
    suite!("cli", "the project's own commands"),
    suite!("restart", "what a broker knows survives a stop and a kill"),
    suite!("serve", "starting, settings and stopping"),
    // What is overwritten in flight is a matter of microseconds.
    Part {
        beside: Beside::Nothing,
        ..suite!("proof", "record bytes leave by reference: overwritten in flight, seen by the client")
    },
];

/// Prints what there is to run.
pub(crate) fn list() {
    for part in PARTS {
        println!("{:<14} {}", part.name, part.what);
    }
}

/// Runs the named parts, or all. `Ok(false)`: something failed.
pub(crate) fn test(root: &Path, names: &[String]) -> Result<bool> {
    let chosen: Vec<&Part> = if names.is_empty() {
        PARTS.iter().collect()
    } else {
        names.iter().map(|name| find(name)).collect::<Result<_>>()?
    };
    let strict = in_ci();
    let mut rows = Vec::with_capacity(chosen.len());
    for group in chosen.chunk_by(|one, next| one.beside != Beside::Nothing && one.beside == next.beside) {
        let began = rows.len();
        let run = |at: usize, part: &Part| {
            println!("\n=== {} ({}/{}): {}", part.name, began + at + 1, chosen.len(), part.what);
            let started = Instant::now();
            let outcome = (part.run)(root).unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
            Row { name: part.name, outcome: outcome.strict(strict), took: started.elapsed() }
        };
        if let [first, _, ..] = group
            && first.beside == Beside::Suites
        {
            prepare(root, group)?;
        }
        rows.extend(in_lanes(group, &run));
    }
    Ok(report::summary(&rows))
}

/// Runs each part, as many at a time as there are lanes. The rows come in the order of the parts.
fn in_lanes(group: &[&Part], run: &(impl Fn(usize, &Part) -> Row + Sync)) -> Vec<Row> {
    let next = AtomicUsize::new(0);
    let lane = || -> Vec<(usize, Row)> {
        let take = || {
            let at = next.fetch_add(1, Ordering::Relaxed);
            group.get(at).map(|part| (at, run(at, part)))
        };
        std::iter::from_fn(take).collect()
    };
    let mut rows: Vec<(usize, Row)> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES.min(group.len())).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().flat_map(|lane| lane.join().unwrap_or_default()).collect()
    });
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Builds and fetches what suites need, which no two of them do at the same time. What cannot be had each says itself.
fn prepare(root: &Path, group: &[&Part]) -> Result<()> {
    cargo(root, &["build", "--release"]).run()?;
    let suites = group.iter().map(|part| part.name);
    driver(root, &suites.chain(["--prepare-only", "--quiet"]).collect::<Vec<_>>()).run()?;
    Ok(())
}

fn find(name: &str) -> Result<&'static Part> {
    let Some(part) = PARTS.iter().find(|part| part.name == name) else {
        let known: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        bail!("there is no part {name:?}; the parts are: {}", known.join(", "))
    };
    Ok(part)
}

fn clippy(root: &Path) -> Result<Outcome> {
    cargo(root, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]).run()
}

fn documentation(root: &Path) -> Result<Outcome> {
    let rustdoc = cargo(root, &["doc", "--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "-D warnings -A rustdoc::private_intra_doc_links")
        .run()?;
    if rustdoc != Outcome::Passed {
        return Ok(rustdoc);
    }
    Outcome::of(docs::pages(root, true)?)
}

/// Without the fuzz targets, which are a part of their own. The Java oracle of the wire tests is Kafka's own client
/// library, which the conformance driver fetches.
fn unit(root: &Path) -> Result<Outcome> {
    let fetched = driver(root, &["java", "--prepare-only"]).run()?;
    let tests = cargo(root, &["test", "--workspace", "--exclude", "pagewire-fuzz"]);
    if fetched != Outcome::Passed {
        println!("without Kafka's own Java classes as an oracle");
        return tests.run();
    }
    let jars = target(root).join("conformance/java/lib/*");
    tests.env("PAGEWIRE_KAFKA_CLASSPATH", &jars.display().to_string()).run()
}

/// A suite of the conformance driver, against the release binary.
fn conformance(root: &Path, suite: &str) -> Result<Outcome> {
    // Also where there is one: it may be older than the sources.
    let built = cargo(root, &["build", "--release"]).run()?;
    if built != Outcome::Passed {
        return Ok(built);
    }
    let binary = target(root).join("release/pagewire");
    driver(root, &[suite, "--quiet", "--binary", &binary.display().to_string()]).run()
}

/// Cargo's target folder, as cargo itself finds it.
pub(crate) fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The conformance driver with these arguments.
pub(crate) fn driver(root: &Path, arguments: &[&str]) -> Step {
    let mut words = vec!["run", "--quiet", "--package", "pagewire-conformance", "--"];
    words.extend(arguments);
    cargo(root, &words)
}

/// Without the coverage-guided engine, which takes minutes to build: `cargo run -p pagewire-fuzz -- TARGET` has that.
fn fuzz(root: &Path) -> Result<Outcome> {
    cargo(root, &["test", "--package", "pagewire-fuzz"]).run()
}
