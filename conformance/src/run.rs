//! One run: choose suites, bring up a broker for those that want one, run each, sum up.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::clients::{self, Target};
use crate::harness::{Broker, find_or_build, raise_open_files};
use crate::options::Options;
use crate::outcome::{Case, Outcome, Printer, SuiteRun};
use crate::parts::{Cases, Context};
use crate::suites::{Kind, SUITES, Suite, by_name};
use crate::workspace::Workspace;

/// Runs what the options ask for; false when something failed.
pub fn run(options: &Options) -> Result<bool> {
    if options.list {
        let mut out = std::io::stdout().lock();
        for suite in SUITES {
            writeln!(out, "{:14} {}", suite.name, suite.about)?;
        }
        return Ok(true);
    }
    let workspace = Workspace::of_this_build();
    let printer = Printer::new(options.quiet);
    let chosen = choose(&options.suites)?;
    raise_open_files();
    let mut broker = Lazy { options, workspace: &workspace, binary: None, broker: None };
    let mut runs = Vec::new();
    for suite in chosen {
        let started = Instant::now();
        printer.note(&format!("{}: {}", suite.name, suite.about));
        let mut run = one(suite, options, &workspace, &printer, &mut broker)?;
        run.took = started.elapsed();
        runs.push(run);
    }
    Ok(Printer::summary(&mut std::io::stdout().lock(), &runs, options.strict))
}

fn choose(names: &[String]) -> Result<Vec<&'static Suite>> {
    if names.is_empty() {
        return Ok(SUITES.iter().collect());
    }
    names
        .iter()
        .map(|name| by_name(name).with_context(|| format!("no suite is named {name}; see --list")))
        .collect()
}

fn one(
    suite: &Suite,
    options: &Options,
    workspace: &Workspace,
    printer: &Printer,
    broker: &mut Lazy<'_>,
) -> Result<SuiteRun> {
    if options.on_kafka && !matches!(suite.kind, Kind::Programs(_)) {
        return Ok(SuiteRun::skipped(suite.name, "only whole programs are run on a Kafka started here"));
    }
    match suite.kind {
        Kind::Client(prepare) | Kind::Page(prepare) => {
            let mut command = match prepare(workspace, printer) {
                Ok(command) => command,
                Err(reason) => return Ok(SuiteRun::skipped(suite.name, format!("{reason:#}"))),
            };
            if options.prepare_only {
                return Ok(passed(suite, "prepare"));
            }
            let of_broker = matches!(suite.kind, Kind::Client(_));
            if of_broker {
                let target = broker.target()?;
                reachable(&target.bootstrap)?;
                clients::aim(&mut command, &target);
            } else {
                command.env("PAGEWIRE", broker.binary()?);
            }
            let log = workspace.cache("logs")?.join(format!("{}.log", suite.name));
            let mut cases = clients::run(suite.name, command, &options.cases, suite.limit, &log, printer)?;
            if let Some(trouble) = broker.trouble().filter(|_| of_broker) {
                cases.push(Case { name: "broker".to_owned(), outcome: Outcome::Failed(trouble) });
            }
            Ok(SuiteRun { suite: suite.name.to_owned(), cases, took: Duration::ZERO })
        }
        Kind::Broker(part) | Kind::Programs(part) | Kind::Commands(part) => {
            if options.prepare_only {
                return Ok(passed(suite, "prepare"));
            }
            if options.bootstrap.is_some() && !matches!(suite.kind, Kind::Commands(_)) {
                return Ok(SuiteRun::skipped(suite.name, "it needs a broker of its own, which it can kill"));
            }
            let context = Context {
                binary: broker.binary()?,
                outside: options.bootstrap.clone(),
                on_kafka: options.on_kafka,
                workspace,
                printer,
            };
            let cases = Cases::new(suite.name, &options.cases, printer);
            part(&context, &cases);
            Ok(SuiteRun { suite: suite.name.to_owned(), cases: cases.finish(), took: Duration::ZERO })
        }
    }
}

/// A broker that nobody answers at would fail every case, slowly.
fn reachable(bootstrap: &str) -> Result<()> {
    let answered = bootstrap
        .to_socket_addrs()
        .with_context(|| format!("{bootstrap} is not HOST:PORT"))?
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_ok());
    ensure!(answered, "no broker answers at {bootstrap}");
    Ok(())
}

fn passed(suite: &Suite, case: &str) -> SuiteRun {
    let cases = vec![Case { name: case.to_owned(), outcome: Outcome::Ok }];
    SuiteRun { suite: suite.name.to_owned(), cases, took: Duration::ZERO }
}

/// Two log directories, so that partitions can move between them; the first is [`Broker::data_dir`]. What retention does is seen
/// within a second.
const CLIENT_SETTINGS: &[&str] = &["log.dirs=data,data-too", "log.retention.check.interval.ms=1000"];

/// The broker all client suites share, started when the first of them needs it.
struct Lazy<'a> {
    options: &'a Options,
    workspace: &'a Workspace,
    binary: Option<PathBuf>,
    broker: Option<Broker>,
}

impl Lazy<'_> {
    fn target(&mut self) -> Result<Target> {
        if let Some(bootstrap) = &self.options.bootstrap {
            return Ok(Target { bootstrap: bootstrap.clone(), data_dir: self.options.data_dir.clone() });
        }
        if self.broker.as_mut().is_none_or(|broker| !broker.is_running()) {
            let binary = self.binary()?;
            self.broker = Some(Broker::start(&binary, CLIENT_SETTINGS)?);
        }
        let broker = self.broker.as_ref().context("no broker")?;
        // Its log directories lie side by side.
        let data_dir = broker.data_dir().parent().map(Path::to_path_buf);
        Ok(Target { bootstrap: broker.address().to_owned(), data_dir })
    }

    fn binary(&mut self) -> Result<PathBuf> {
        if let Some(binary) = &self.binary {
            return Ok(binary.clone());
        }
        let found = find_or_build(self.workspace, self.options.binary.clone())?;
        Ok(self.binary.insert(found).clone())
    }

    /// What is wrong with our broker after a suite: it must have outlived it.
    fn trouble(&mut self) -> Option<String> {
        let broker = self.broker.as_mut()?;
        if broker.is_running() {
            return None;
        }
        let tail = broker.log_tail();
        Some(format!("the broker ended during the suite: {tail}"))
    }
}
